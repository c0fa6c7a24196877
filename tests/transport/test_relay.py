"""The relay among others: one leads, whatever befalls it, and what the stream tells is in order."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
from sqlalchemy import text

from shared.database import Database
from shared.events.topics import Topic
from shared.messaging import topics
from shared.messaging.carrier import Carrier, Row, Sent
from shared.messaging.relay import Relay
from shared.messaging.replay import LOCK_OF_THE_RELAY, Replays
from shared.runtime import Service
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, StartService, fact, make_effects, make_service, subscription_of
from tests.transport.test_delivery import emit, everything_sent, names, read_all
from tests.waiting import eventually

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%-relay'"
KEYS, ROUNDS, AT_ONCE = 6, 4, 5
PLANS_MADE_ANEW = 5
"""PostgreSQL plans a statement for its values so many times, and then may keep one plan for all values."""
IN_A_RUSH = 4000
RUSH = """
    INSERT INTO outbox (event_id, topic, key, type, headers, created_at)
    SELECT 'in-a-rush-' || n, 'catalogue.workshops', convert_to(n::text, 'UTF8'), 'workshop.held', '', now()
    FROM generate_series(1, $1) n
"""


class Stuck(Carrier):
    """Carries to a broker that never answers."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings(kafka_servers="127.0.0.1:1"), "registration")
        self.carrying = asyncio.Event()
        self.gave_up = asyncio.Event()

    async def carry(self, rows: Sequence[Row]) -> Sent:
        """Never come to an end."""
        assert rows
        self.carrying.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gave_up.set()
        return Sent()


class Taking(Carrier):
    """Takes everything at once, and counts it."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings(kafka_servers="127.0.0.1:1"), "registration")
        self.taken = 0

    async def carry(self, rows: Sequence[Row]) -> Sent:
        """Say that all has arrived."""
        self.taken += len(rows)
        return Sent([row["id"] for row in rows])


async def test_what_comes_in_a_rush_after_a_rest_is_read_a_few_times_and_no_more(database_url: MakeUrl) -> None:
    """The outbox was empty when PostgreSQL first planned how to read it; by that plan all would be read for each."""
    url = await database_url("registration")
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO outbox (event_id, topic, type, headers, created_at) VALUES ('1', '', '', '', now())"
    )
    await connection.execute("DELETE FROM outbox")
    await connection.execute("VACUUM outbox")
    carrier = Taking()
    relay = Relay(url, carrier, "registration", Replays(timedelta(days=1), HandClock(), at_start=False))
    running = asyncio.create_task(relay.run())
    try:
        for _ in range(PLANS_MADE_ANEW + 3):
            relay.wake()
            await relay.idle.wait()
        await connection.execute(RUSH, IN_A_RUSH)
        relay.wake()
        await relay.idle.wait()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert carrier.taken == IN_A_RUSH

    async def counted() -> bool:  # what a connection has read is counted when it ends
        return not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE '%-relay'"
        )

    await eventually(counted, "the end of the relay's connection")
    read = await connection.fetchval(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'outbox'"
    )
    await connection.close()
    assert IN_A_RUSH <= read < 50 * IN_A_RUSH


async def test_a_leader_that_loses_its_lock_gives_up_what_it_is_sending(database_url: MakeUrl) -> None:
    url = await database_url("registration")
    store, carrier = Database(url, "registration"), Stuck()
    async with store.transaction(HandClock().now) as tx:
        tx.emit(fact("one"), key=uuid4(), sequence=1)
    replays = Replays(timedelta(days=1), HandClock(), at_start=False)
    relay = asyncio.create_task(Relay(url, carrier, "registration", replays).run())
    try:
        await carrier.carrying.wait()
        async with store.transaction(HandClock().now) as tx:
            await tx.session.execute(text(CUT))
        await carrier.gave_up.wait()
    finally:
        relay.cancel()
        await asyncio.wait({relay})
        await store.close()


async def test_replicas_that_fight_for_the_lock_send_everything_in_order_and_have_each_effect_once(
    start_service: StartService, stream: Topic, kafka: KafkaSettings, database_url: MakeUrl
) -> None:
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    await store.close()
    subscription = subscription_of(Effects(), stream, name=stream.name)
    replicas = [await start_service(subscription, url=url) for _ in range(2)]
    keys = [uuid4() for _ in range(KEYS)]
    numbers = iter(range(1, ROUNDS * AT_ONCE + 1))
    thief: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    for _ in range(ROUNDS):
        for _ in range(AT_ONCE):
            number = next(numbers)
            async with replicas[number % 2].transaction() as tx:
                for who, key in enumerate(keys):
                    tx.emit(fact(f"{who} {number}"), key=key, sequence=number, topic=stream)
        await steal(thief)
        await thief.execute("SELECT pg_advisory_unlock($1)", LOCK_OF_THE_RELAY)
    await thief.close()
    wanted = {str(who): [f"{who} {number}" for number in range(1, ROUNDS * AT_ONCE + 1)] for who in range(KEYS)}
    count = sum(map(len, wanted.values()))

    async def all_had() -> bool:
        return len(await names(replicas[0])) >= count

    await eventually(all_had, "all effects")
    await eventually(lambda: everything_sent(replicas[0]), "an empty outbox")
    assert by_key(await names(replicas[0])) == wanted
    told = dict.fromkeys(value for _, value in await read_all(kafka, stream, count))
    assert by_key([name_in(value) for value in told]) == wanted


async def steal(thief: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Cut the leader off, as often as it takes to have the lock oneself."""

    async def stolen() -> bool:
        await thief.execute(CUT)
        return bool(await thief.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_OF_THE_RELAY))

    await eventually(stolen, "the lock")


async def ready(service: Service) -> bool:
    return not service.pulse.down


def by_key(told: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in told:
        found.setdefault(name.partition(" ")[0], []).append(name)
    return found


def name_in(value: bytes) -> str:
    return str(json.loads(value)["name"])


async def test_a_topic_that_is_not_there_yet_holds_back_only_its_own(
    start_service: StartService, stream: Topic, kafka: KafkaSettings
) -> None:
    service = await start_service()
    later = Topic(f"registration.later-{uuid4()}", retention_days=1, partitions=1)
    await emit(service, later, "one", "two")
    await emit(service, stream, "free")
    [(_, value)] = await read_all(kafka, stream, 1)
    assert name_in(value) == "free"
    await topics.ensure(kafka, [later])
    await eventually(lambda: everything_sent(service), "an empty outbox")
    assert [name_in(value) for _, value in await read_all(kafka, later, 2)] == ["one", "two"]


async def test_what_lies_in_the_outbox_when_it_is_told_to_stop_is_sent_first(
    database_url: MakeUrl, stream: Topic, kafka: KafkaSettings
) -> None:
    service = make_service(kafka, await database_url("registration"))
    async with service.running():
        await eventually(lambda: ready(service), "the service to be ready")
        await emit(service, stream, *(f"city {number}" for number in range(50)))
    assert [name_in(value) for _, value in await read_all(kafka, stream, 50)] == [f"city {n}" for n in range(50)]
