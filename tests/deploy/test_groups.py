"""On the embedded broker a group that waits for a member which says nothing is begun again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest
from sqlalchemy import text

from shared.database import Database
from shared.events.topics import OWN, Topic
from shared.messaging import bus, topics
from shared.settings import KafkaSettings
from tests.brokers import Parts
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, make_effects, make_service, record_of, subscription_of
from tests.waiting import eventually

SESSION = 2_000
FOR_EVER = 600_000


async def test_a_leader_that_never_says_who_takes_what_holds_nobody_up_for_ever(
    parts: Parts, database_url: MakeUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "LEAST_SECONDS_TO_JOIN", 1.0)
    kafka = KafkaSettings(
        kafka_servers=parts.kafka, kafka_session_seconds=1, kafka_fetch_wait_ms=40, kafka_drop_stuck_groups=True
    )
    stream = Topic(f"registration.test-{uuid4()}", retention_days=1, partitions=3)
    await topics.ensure(kafka, [*OWN["registration"], stream])
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    subscription = subscription_of(Effects(), stream, name=stream.name)
    async with (
        _silent_leader(kafka, subscription.name),
        make_service(kafka, url, subscription).running(),
        AIOKafkaProducer(bootstrap_servers=kafka.kafka_servers) as producer,
    ):
        record = record_of("taken", uuid4())
        await producer.send_and_wait(stream.name, record.value, record.key, headers=list(record.headers))

        async def taken() -> bool:
            async with store.transaction(HandClock()()) as tx:
                return list(await tx.session.scalars(text("SELECT name FROM effects"))) == ["taken"]

        await eventually(taken, "the record to be taken")
    await store.close()


@asynccontextmanager
async def _silent_leader(kafka: KafkaSettings, group: str) -> AsyncIterator[None]:
    """Lead a group, alive by all signs, for as long as the block lasts, and never say who is to take what."""
    client = AIOKafkaClient(bootstrap_servers=kafka.kafka_servers)
    await client.bootstrap()
    coordinator, member = await client.coordinator_lookup(CoordinationType.GROUP, group), ""
    for _ in range(2):  # the first answer gives it its name
        protocols = [("roundrobin", b"\0\0\0\0\0\0\0\0\0\0")]
        request = JoinGroupRequest(group, SESSION, FOR_EVER, member, None, "consumer", protocols)
        answer = await client.send(coordinator, request)
        member = answer.member_id
    assert answer.leader_id == member

    async def live() -> None:
        while True:
            await client.send(coordinator, HeartbeatRequest(group, answer.generation_id, member))
            await asyncio.sleep(SESSION / 4_000)

    beats = asyncio.create_task(live())
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)
        await client.close()
