"""Database and broker away or frozen: who stands on them waits, says so, and goes on by itself when they are back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.engine import make_url

from deploy.operations.places import acknowledged
from shared.database import Database, Transaction
from shared.events.registration import OrganisationRegistered
from shared.events.topics import OWN, Topic
from shared.messaging import topics
from shared.messaging.follow import Stale
from shared.runtime import Service
from shared.settings import KafkaSettings
from tests.brokers import Parts
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, fact, make_effects, make_service, subscription_of
from tests.waiting import eventually
from tests.wire import Wire, wire_to

BEFORE, MEANWHILE, AFTER = range(10), range(10, 20), range(20, 30)
Fault = Callable[["House"], Awaitable[None]]


@dataclass
class House:
    """A service that reaches database and broker by wires; `url` is the database's address beside its wire."""

    service: Service
    stream: Topic
    url: str
    database: Wire
    broker: Wire

    async def say(self, numbers: range) -> None:
        """Commit events, by a way of our own."""
        store, key = Database(self.url, "registration"), uuid4()
        async with store.transaction(HandClock().now) as tx:
            for number in numbers:
                tx.emit(fact(f"city {number}"), key=key, sequence=number, topic=self.stream)
        await store.close()

    async def heard(self, numbers: range) -> None:
        """Wait until those have had their effect, the last of all."""

        async def all_of_them() -> bool:
            return (await self.names())[-len(numbers) :] == [f"city {number}" for number in numbers]

        await eventually(all_of_them, f"the effects of {numbers}")

    async def names(self) -> list[str]:
        """Give all effects."""
        connection = await asyncpg.connect(self.url)
        try:
            return [row["name"] for row in await connection.fetch("SELECT name FROM effects ORDER BY id")]
        finally:
            await connection.close()

    async def members(self) -> set[str]:
        """Give the ids of those in the consumer group, which change when one has left and joins again."""
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{self.broker.port}")
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([f"registration.{self.stream.name}"])
            return {member[0] for group in answer.groups for member in group[5]}
        finally:
            await admin.close()

    async def becomes(self, *down: str) -> None:
        """Wait until those parts are down, or none where none is named."""

        async def so() -> bool:
            return set(self.service.pulse.down) >= set(down) if down else not self.service.pulse.down

        await eventually(so, f"{down or 'nothing'} to be down; it is {self.service.pulse.down}")


@dataclass
class Held(Effects):
    """A handler that waits in the midst of its work."""

    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def note(self, event: OrganisationRegistered, tx: Transaction) -> Stale | None:
        """Have the effect as soon as it is let go."""
        self.at_work.set()
        await self.let_go.wait()
        return await super().note(event, tx)


@asynccontextmanager
async def house(
    parts: Parts,
    url: str,
    broker: Wire,
    *,
    effects: Effects | None = None,
    begin: Callable[["House"], Awaitable[None]] | None = None,
) -> AsyncIterator[House]:
    """Run a service of its own by wires; `begin` befalls them before it starts."""
    stream = Topic(f"registration.test-{uuid4()}", retention_days=1, partitions=2)
    at = KafkaSettings(kafka_servers=f"127.0.0.1:{parts.wired_port}", kafka_session_seconds=2, kafka_fetch_wait_ms=40)
    await topics.ensure(at, [*OWN["registration"], stream])
    address = make_url(url)
    async with wire_to(address.port or 5432) as database:
        by_wire = address.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
        store = Database(url, "registration")
        await make_effects(store, HandClock())
        await store.close()
        service = make_service(at, by_wire, subscription_of(effects or Effects(), stream, name=stream.name))
        made = House(service, stream, url, database, broker)
        if begin:
            await begin(made)
        async with service.running():
            yield made


async def outlive(parts: Parts, url: str, broker: Wire, fault: Fault, *down: str) -> None:
    """Let a fault befall a service at work, and see that it goes on where it was when the fault is over.

    Who waits for its database stays in the group meanwhile, though a session is shorter than the outage.
    """
    async with house(parts, url, broker) as made:
        await made.becomes()
        await made.say(BEFORE)
        await made.heard(BEFORE)
        members = await made.members()
        await fault(made)
        await made.becomes(*down)
        await made.say(MEANWHILE)
        if "kafka" not in down:
            assert await made.members() == members != set()
        await made.database.mend()
        await made.broker.mend()
        await made.heard(MEANWHILE)
        await made.becomes()
        await made.say(AFTER)
        await made.heard(AFTER)
        assert await made.names() == [f"city {number}" for number in (*BEFORE, *MEANWHILE, *AFTER)]


async def test_a_database_that_is_away_or_frozen_is_waited_for(parts: Parts, database_url: MakeUrl) -> None:
    urls = [await database_url("registration") for _ in range(2)]
    async with wire_to(parts.kafka_behind_wire, parts.wired_port) as broker, asyncio.TaskGroup() as group:
        group.create_task(outlive(parts, urls[0], broker, lambda made: made.database.cut(), "postgres"))
        group.create_task(outlive(parts, urls[1], broker, lambda made: made.database.hold(), "postgres"))


async def test_connections_that_are_cut_are_made_anew(parts: Parts, database_url: MakeUrl) -> None:
    url = await database_url("registration")

    async def cut_connections(made: House) -> None:
        connection = await asyncpg.connect(made.url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'convoca-%'"
        )
        await connection.close()

    async with wire_to(parts.kafka_behind_wire, parts.wired_port) as broker:
        await outlive(parts, url, broker, cut_connections)


async def test_a_broker_that_goes_away_is_waited_for(parts: Parts, database_url: MakeUrl) -> None:
    url = await database_url("registration")
    async with wire_to(parts.kafka_behind_wire, parts.wired_port) as broker:
        await outlive(parts, url, broker, lambda made: made.broker.cut(), "kafka")


async def test_a_broker_that_is_frozen_is_waited_for(parts: Parts, database_url: MakeUrl) -> None:
    url = await database_url("registration")
    async with wire_to(parts.kafka_behind_wire, parts.wired_port) as broker:
        await outlive(parts, url, broker, lambda made: made.broker.hold(), "kafka")


async def test_what_was_taken_as_the_broker_went_away_is_acknowledged_though_nothing_more_comes(
    parts: Parts, database_url: MakeUrl
) -> None:
    url, effects, one = await database_url("registration"), Held(), range(1)
    async with (
        wire_to(parts.kafka_behind_wire, parts.wired_port) as broker,
        house(parts, url, broker, effects=effects) as made,
    ):
        await made.say(one)
        await effects.at_work.wait()
        await broker.cut()
        effects.let_go.set()
        await made.heard(one)
        await made.becomes("kafka")
        await broker.mend()
        kafka = KafkaSettings(kafka_servers=f"127.0.0.1:{parts.wired_port}")

        async def said() -> bool:
            places = await acknowledged(
                kafka, f"registration.{made.stream.name}", lambda name: name == made.stream.name
            )
            return sorted(place for place in places.values() if place) == [1]

        await eventually(said, "the group's word")
        assert effects.calls == ["city 0"]


async def test_a_service_that_starts_without_its_parts_waits_for_them(parts: Parts, database_url: MakeUrl) -> None:
    url = await database_url("registration")

    async def begin(made: House) -> None:
        await made.broker.cut()
        await made.database.cut()
        await made.say(BEFORE)

    async with (
        wire_to(parts.kafka_behind_wire, parts.wired_port) as broker,
        house(parts, url, broker, begin=begin) as made,
    ):
        await made.becomes("postgres", "kafka", "consumers", "relay")
        await made.database.mend()
        await made.broker.mend()
        await made.heard(BEFORE)
        await made.becomes()
