"""From a commit to an effect, through the relay and a broker that speaks Kafka."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text

from shared.database import Database
from shared.events.registration import OrganisationRegistered
from shared.events.topics import INBOUND, Topic, inbound
from shared.messaging import publishers, topics
from shared.messaging.carrier import LARGEST_REQUEST
from shared.messaging.envelope import Record
from shared.messaging.follow import Followers
from shared.runtime import Service, utc_now
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import (
    Effects,
    StartService,
    as_json,
    fact,
    make_effects,
    note_many,
    record_of,
    subscription_of,
    with_headers,
)
from tests.waiting import eventually

MANY = 2_000


async def emit(service: Service, stream: Topic, *names: str) -> None:
    key = uuid4()
    async with service.transaction() as tx:
        for number, name in enumerate(names, start=1):
            tx.emit(fact(name), key=key, sequence=number, topic=stream)


async def names(service: Service) -> list[str]:
    async with service.transaction() as tx:
        return list(await tx.session.scalars(text("SELECT name FROM effects ORDER BY id")))


async def unsent(service: Service) -> int:
    async with service.transaction() as tx:
        waiting = text("SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused IS NULL")
        return int(await tx.session.scalar(waiting) or 0)


async def everything_sent(service: Service) -> bool:
    return await unsent(service) == 0


async def records_on(kafka: KafkaSettings, topic: str, count: int) -> list[Record]:
    """Give what lies on a topic, once there are `count` of it or more."""
    reader = AIOKafkaConsumer(topic, bootstrap_servers=kafka.kafka_servers, auto_offset_reset="earliest")
    await reader.start()
    try:
        found: list[Record] = []

        async def more() -> bool:
            batches = await reader.getmany(timeout_ms=100)
            found.extend(
                Record(each.topic, each.partition, each.offset, each.key, each.value, each.headers)
                for batch in batches.values()
                for each in batch
            )
            return len(found) >= count

        await eventually(more, f"{count} records on {topic}")
        return found
    finally:
        await reader.stop()


async def read_to_the_end(kafka: KafkaSettings, producer: AIOKafkaProducer, stream: Topic) -> list[Record]:
    """Give all that lies on a stream by now: whatever lies before a mark that is set on each partition."""
    places = await producer.partitions_for(stream.name)
    marks = [await producer.send_and_wait(stream.name, b"mark", partition=place) for place in places]
    found = await records_on(kafka, stream.name, sum(mark.offset + 1 for mark in marks))
    return [each for each in found if each.value != b"mark"]


async def read_all(kafka: KafkaSettings, stream: Topic, count: int) -> list[tuple[bytes, bytes]]:
    return [(each.key or b"", each.value or b"") for each in await records_on(kafka, stream.name, count)]


async def test_what_is_committed_arrives_once_and_in_order(
    start_service: StartService, stream: Topic, clock: HandClock, database_url: MakeUrl
) -> None:
    effects, url = Effects(), await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, clock)
    await store.close()
    service = await start_service(subscription_of(effects, stream, name=stream.name), url=url)
    wanted = [f"city {n}" for n in range(300)]
    await emit(service, stream, *wanted)

    async def arrived() -> bool:
        return len(await names(service)) >= len(wanted)

    await eventually(arrived, "all effects")
    await eventually(lambda: everything_sent(service), "an empty outbox")
    assert await names(service) == wanted


async def test_what_is_undone_is_never_sent(start_service: StartService, stream: Topic, kafka: KafkaSettings) -> None:
    service = await start_service()

    async def fail() -> None:
        async with service.transaction() as tx:
            tx.emit(fact("undone"), key=uuid4(), sequence=1, topic=stream)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await emit(service, stream, "kept")
    [(_, value)] = await read_all(kafka, stream, 1)
    assert b"kept" in value


async def test_a_message_that_the_broker_refuses_holds_back_only_its_key(
    start_service: StartService, stream: Topic, kafka: KafkaSettings
) -> None:
    service = await start_service()
    stuck = uuid4()
    async with service.transaction() as tx:
        tx.emit(fact("x" * LARGEST_REQUEST), key=stuck, sequence=1, topic=stream)
        tx.emit(fact("behind"), key=stuck, sequence=2, topic=stream)
        tx.emit(fact("free"), key=uuid4(), sequence=1, topic=stream)
    [(_, value)] = await read_all(kafka, stream, 1)
    assert b"free" in value

    async def refused() -> bool:
        async with service.transaction() as tx:
            return bool(await tx.session.scalar(text("SELECT refused FROM outbox WHERE refused IS NOT NULL")))

    async def only_the_one_behind_it_is_left() -> bool:
        return await unsent(service) == 1

    await eventually(refused, "the refusal to be written down")
    await eventually(only_the_one_behind_it_is_left, "the free one to be marked, and the one behind to stay")


async def test_of_two_processes_one_relays_and_losing_the_database_loses_nothing(
    database_url: MakeUrl,
    start_service: StartService,
    stream: Topic,
    kafka: KafkaSettings,
    producer: AIOKafkaProducer,
) -> None:
    url = await database_url("registration")
    first, second = await start_service(url=url), await start_service(url=url)
    for number in range(20):
        await emit(first if number % 2 else second, stream, f"one {number}", f"two {number}")
    await eventually(lambda: everything_sent(first), "an empty outbox")
    assert len(await read_to_the_end(kafka, producer, stream)) == 40, "each was sent once"
    async with first.transaction() as tx:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%-relay'"
        await tx.session.execute(text(cut))
    await emit(second, stream, "one after", "two after")
    await eventually(lambda: everything_sent(first), "an empty outbox")
    found = [(each.key or b"", each.value or b"") for each in await read_to_the_end(kafka, producer, stream)]
    seen: dict[bytes, list[bytes]] = {}
    for key, value in dict.fromkeys(found):
        seen.setdefault(key, []).append(value)
    assert len(seen) == 21
    assert all(b"one" in one and b"two" in two for one, two in seen.values())


async def test_of_many_records_each_bad_one_is_one_dead_letter_and_all_good_ones_are_done(
    start_service: StartService, stream: Topic, producer: AIOKafkaProducer, database_url: MakeUrl
) -> None:
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    await store.close()
    good, bad = [], []
    for number in range(MANY):
        record = replace(record_of(f"city {number}", uuid4()), topic=stream.name)
        if number % 10:
            good.append(record)
        else:
            record = with_headers(record, ce_id=None) if number % 20 else replace(record, value=b"%d" % number)
            bad.append(record)
        await producer.send(stream.name, record.value, record.key, headers=list(record.headers))
    await producer.flush()
    follow = Followers("registration")
    follow.batch(stream, events=OrganisationRegistered)(note_many)
    service = await start_service(*follow.subscriptions, url=url)

    async def all_had() -> bool:
        return len(await names(service)) >= len(good)

    await eventually(all_had, "all effects")
    await eventually(lambda: everything_sent(service), "an empty outbox")
    assert sorted(await names(service)) == sorted(as_json(record)["name"] for record in good)
    async with service.transaction() as tx:
        kept = await tx.session.execute(text("SELECT key, value FROM dead_letters"))
        sent = await tx.session.execute(text("SELECT key, payload FROM outbox WHERE topic LIKE 'dead-letters.%'"))
        letters = [sorted((bytes(key), bytes(value)) for key, value in each) for each in (kept, sent)]
    assert letters == [sorted((each.key or b"", each.value or b"") for each in bad)] * 2


async def test_an_inbound_topic_is_taken_without_restart_from_its_first_record(
    start_service: StartService, kafka: KafkaSettings, producer: AIOKafkaProducer, database_url: MakeUrl
) -> None:
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    name = f"p-{uuid4()}"
    async with store.transaction(utc_now()) as tx:
        await publishers.add(tx.session, name, tx.now)
    await store.close()
    service = await start_service(subscription_of(Effects(), INBOUND["registration"], name=f"inbound-{name}"), url=url)
    await asyncio.sleep(0)
    own = inbound("registration", name)
    await topics.ensure(kafka, [own])
    record = with_headers(record_of("first", uuid4()), ce_source=f"/publishers/{name}".encode())
    await producer.send_and_wait(own.name, record.value, record.key, headers=list(record.headers))

    async def arrived() -> bool:
        return await names(service) == ["first"]

    await eventually(arrived, "the first record of a new publisher")


async def test_topics_are_made_as_the_contract_says_and_once(kafka: KafkaSettings) -> None:
    own = Topic(f"registration.test-{uuid4()}", partitions=5)
    assert await topics.ensure(kafka, [own]) == [own.name]
    assert await topics.ensure(kafka, [own]) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_servers)
    await admin.start()
    [described] = await admin.describe_topics([own.name])
    await admin.close()
    assert len(described["partitions"]) == 5
