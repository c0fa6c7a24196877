"""A rig for the bus: records made by hand, one table of effects, and a handler that can be made to fail."""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from sqlalchemy import Row, text

from shared.database import Database, Transaction
from shared.errors import NotFound, Problem
from shared.events.registration import OrganisationRegistered
from shared.events.topics import OWN, Topic
from shared.messaging import topics
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, seal
from shared.messaging.follow import PATIENCE, Delivery, Followers, Stale, Subscription
from shared.runtime import Service
from shared.settings import KafkaSettings, ServiceSettings
from tests.brokers import Parts
from tests.clock import HandClock
from tests.conftest import MakeDatabase, MakeUrl

OFFICE = Path(__file__).parents[2] / "deploy" / "demo" / "office.yaml"
KEY = "k" * 32
_numbers = itertools.count(1)


def fact(name: str) -> OrganisationRegistered:
    """Give some event; what it says is its name."""
    return OrganisationRegistered(organisation_id=uuid4(), name=name, kind="city")


def record_of(name: str, key: UUID, sequence: int = 1, *, topic: str = "registration.organisations") -> Record:
    """Give the record that carries `fact(name)`."""
    message = seal(fact(name), source="/convoca/registration", key=key, sequence=sequence, now=HandClock().now)
    return Record(topic, 0, next(_numbers), message.key, message.value, message.headers)


def with_headers(record: Record, **headers: bytes | None) -> Record:
    """Give the record with other headers; None takes one away."""
    kept = {name: value for name, value in record.headers if name not in headers}
    changed = {name: value for name, value in headers.items() if value is not None}
    return replace(record, headers=tuple({**kept, **changed}.items()))


@dataclass
class Effects:
    """A handler whose effect is a row with the event's name; it fails with what `faults` holds for that name."""

    faults: dict[str, Exception] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    async def note(self, event: OrganisationRegistered, tx: Transaction) -> Stale | None:
        """Have the effect, then perhaps fail; none for what is stale."""
        self.calls.append(event.name)
        if event.name in self.stale:
            return Stale()
        await tx.session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.name})
        if fault := self.faults.get(event.name):
            raise fault
        return None


@dataclass
class Rig:
    """A consumer on a database, with the effects that it had."""

    database: Database
    consumer: Consumer
    effects: Effects
    clock: HandClock

    async def names(self) -> list[str]:
        """Give the names of the effects, in the order in which they were had."""
        return [row.name for row in await self.rows("SELECT name FROM effects ORDER BY id")]

    async def rows(self, query: str) -> Sequence[Row[Any]]:
        """Give what a query answers."""
        async with self.database.transaction(self.clock()) as tx:
            return (await tx.session.execute(text(query))).all()

    async def outcomes(self) -> list[tuple[str, str | None]]:
        """Give what the inbox says became of the events, in their order."""
        rows = await self.rows("SELECT outcome, detail FROM inbox ORDER BY at, id")
        return [(row.outcome, row.detail) for row in rows]

    async def dead_letters(self) -> list[Record]:
        """Give the dead letters as they lie in the outbox."""
        from shared.messaging.envelope import unpack_headers  # noqa: PLC0415

        rows = await self.rows("SELECT * FROM outbox WHERE topic LIKE 'dead-letters.%' ORDER BY id")
        return [Record(row.topic, 0, row.id, row.key, row.payload, unpack_headers(row.headers)) for row in rows]


async def note_many(deliveries: Sequence[Delivery[OrganisationRegistered]], tx: Transaction) -> None:
    """Have the effects of many events at once."""
    await tx.session.execute(
        text("INSERT INTO effects (name) SELECT * FROM unnest(CAST(:names AS text[]))"),
        {"names": [each.event.name for each in deliveries]},
    )


def subscription_of(
    effects: Effects, *stream: Topic, name: str | None = None, patience: timedelta = PATIENCE
) -> Subscription:
    """Follow `stream` with the effects."""
    follow = Followers("registration", group=f"registration.{name or stream[0].name}")
    follow(*stream, events=OrganisationRegistered, name=name, patience=patience)(effects.note)
    return follow.subscriptions[0]


@pytest_asyncio.fixture
async def rig(database: MakeDatabase, clock: HandClock) -> Rig:
    """Give a consumer of registration's organisations on a database of its own."""
    effects, store = Effects(), await database("registration")
    await make_effects(store, clock)
    return Rig(store, Consumer(subscription_of(effects, OrganisationRegistered.topic), store, clock), effects, clock)


async def make_effects(store: Database, clock: HandClock) -> None:
    """Make the table that a handler's effects go to."""
    async with store.transaction(clock()) as tx:
        await tx.session.execute(
            text("CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL)")
        )


def unknown(slug: str = "unknown-workshop") -> Problem:
    """Give the problem of what refers to something not seen yet."""
    return NotFound(slug, "It is not known here.")


@pytest.fixture
def kafka(parts: Parts) -> KafkaSettings:
    """Give the settings of this run's broker."""
    return KafkaSettings(kafka_servers=parts.kafka, kafka_session_seconds=1, kafka_fetch_wait_ms=40)


@pytest_asyncio.fixture
async def stream(kafka: KafkaSettings) -> Topic:
    """Give a stream of this test's own."""
    own = Topic(f"registration.test-{uuid4()}", retention_days=1, partitions=3)
    await topics.ensure(kafka, [*OWN["registration"], own])
    return own


@pytest_asyncio.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer as an outside system has one."""
    own = AIOKafkaProducer(bootstrap_servers=kafka.kafka_servers)
    await own.start()
    yield own
    await own.stop()


def make_service(kafka: KafkaSettings, url: str, *subscriptions: Subscription) -> Service:
    """Make a service with subscriptions of the test's; it is not started."""
    follow = Followers("registration")
    follow.subscriptions.extend(subscriptions)
    settings = ServiceSettings(
        **kafka.model_dump(),
        database_url=url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        office=OFFICE,
    )
    return Service("registration", settings, followers=follow)


StartService = Callable[..., Awaitable[Service]]


@pytest_asyncio.fixture
async def start_service(database_url: MakeUrl, kafka: KafkaSettings) -> AsyncIterator[StartService]:
    """Give what runs a service with subscriptions of the test's, on a database of its own, until the test ends."""
    async with AsyncExitStack() as running:

        async def start(*subscriptions: Subscription, url: str | None = None) -> Service:
            service = make_service(kafka, url or await database_url("registration"), *subscriptions)
            await running.enter_async_context(service.running())
            return service

        yield start


def as_json(record: Record) -> dict[str, Any]:
    """Read a record's data."""
    return dict(json.loads(record.value or b"{}"))
