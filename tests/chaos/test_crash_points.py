"""A process may die between any two steps of its work: what comes after it finds everything, and does nothing twice.

The steps are those that a first run is seen to take, so that none is left out when the code changes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import asyncpg
import pytest_asyncio

from services.notifications.clients import SmtpPost
from services.notifications.operations.owe import Office as Told
from services.notifications.sender import Sender
from services.notifications.settings import SmtpServer
from services.notifications.subscribers import followers
from shared.database import Database
from shared.events.topics import Topic
from shared.messaging import topics
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, seal
from shared.runtime import Service
from shared.settings import KafkaSettings
from tests.brokers import Parts
from tests.chaos.crashing import deaths, programs
from tests.chaos.crashing.deaths import Course
from tests.chaos.crashing.programs import Ground, Program
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.operations.notifications.conftest import (
    CATALOGUES,
    LAIA,
    House,
    enrolment,
    make_paper,
    person,
    workshop,
)
from tests.operations.notifications.smtp import Mailroom, mailroom
from tests.system.streams import Bus, connected
from tests.system.streams import Record as Lying
from tests.transport.conftest import fact, make_effects
from tests.waiting import eventually

AT_ONCE = 6
"""How many deaths are died side by side: most of each is waiting."""
SENT = [("anna", 1), ("biel", 1), ("anna", 2)]
"""What lies in the outbox: two keys, one of them with two messages."""


async def die_everywhere(program: Program, steps: list[str], one: Callable[[str], Awaitable[None]]) -> None:
    """Let `one` die before each of `steps`, a few at a time; every failure is told with its step."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def take_turn(step: str) -> None:
        async with turns:
            try:
                await one(step)
            except Exception as error:
                error.add_note(f"{program.__name__} was killed before: {step}")
                raise

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(take_turn(step))


def died(course: Course, step: str) -> bool:
    """Only a death at the step that was meant counts; of what is done again and again a quick run may do less."""
    if " #" in step and course.ended:
        return False
    assert course.died_before(step), course
    return True


@dataclass
class Reader:
    """A connection to the broker; one reads at a time, for there is one consumer to read with."""

    bus: Bus
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def records(self, stream: str) -> list[Lying]:
        """Give all that lies on a stream."""
        async with self.turn:
            return await self.bus.records(stream)

    async def say(self, stream: str, *records: Record) -> None:
        """Write records as they are."""
        await self.bus.send(stream, *((each.key, each.value, each.headers) for each in records))


@pytest_asyncio.fixture
async def reader(parts: Parts) -> AsyncIterator[Reader]:
    """Give a connection to the broker."""
    async with connected(parts.kafka) as bus:
        yield Reader(bus)


# The relay


async def outbox_to_send(parts: Parts, url: str) -> Ground:
    ground = Ground(url, parts.kafka, said=f"registration.said-{uuid4()}")
    stream = Topic(ground.said, retention_days=1, partitions=1)
    await topics.ensure(KafkaSettings(kafka_servers=parts.kafka), [stream])
    database, keys = Database(url, "registration"), {"anna": uuid4(), "biel": uuid4()}
    async with database.transaction(HandClock().now) as tx:
        for who, number in SENT:
            tx.emit(fact(f"{who} {number}"), key=keys[who], sequence=number, topic=stream)
    await database.close()
    return ground


async def test_a_relay_that_dies_anywhere_loses_nothing_and_keeps_each_key_in_order(
    parts: Parts, database_url: MakeUrl, reader: Reader
) -> None:
    learned = await deaths.whole_course(programs.relay, await outbox_to_send(parts, await database_url("registration")))
    for what in ("hand over a batch", "UPDATE outbox"):
        assert any(step.startswith(what) for step in learned.points), what

    async def die(step: str) -> None:
        ground = await outbox_to_send(parts, await database_url("registration"))
        if not died(await deaths.run(programs.relay, ground, step), step):
            return
        service = ground.service(follows=False)
        async with service.running():
            await eventually(lambda: ready(service), "the successor to be ready")
            await eventually(lambda: nothing_waits(ground), "the outbox to be sent")
        records = await reader.records(ground.said)
        first_seen = list({each.header("ce_id"): each.data["name"] for each in records}.values())
        assert first_seen == [f"{who} {number}" for who, number in SENT]
        assert len(records) <= 2 * len(SENT)

    await die_everywhere(programs.relay, learned.points, die)


async def ready(service: Service) -> bool:
    return not service.pulse.down


async def nothing_waits(ground: Ground) -> bool:
    connection = await asyncpg.connect(ground.database_url)
    try:
        left = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        return not await connection.fetchval(left)
    finally:
        await connection.close()


# The consumer


async def stream_to_take(parts: Parts, url: str, reader: Reader) -> Ground:
    """Give a stream on which two events lie, the first of them twice."""
    mark = uuid4()
    ground = Ground(url, parts.kafka, heard=f"registration.heard-{mark}", said=f"registration.said-{mark}")
    streams = [Topic(name, retention_days=1, partitions=1) for name in (ground.heard, ground.said)]
    await topics.ensure(KafkaSettings(kafka_servers=parts.kafka), streams)
    database = Database(url, "registration")
    await make_effects(database, HandClock())
    await database.close()
    key = uuid4()
    first, second = told("first", key, 1), told("second", key, 2)
    await reader.say(ground.heard, first, second, first)
    return ground


def told(name: str, key: UUID, number: int) -> Record:
    message = seal(fact(name), source="/convoca/test", key=key, sequence=number, now=HandClock().now)
    return Record(message.topic, 0, 0, message.key, message.value, message.headers)


async def effects(service: Service) -> list[str]:
    connection = await asyncpg.connect(service.settings.database_url)
    try:
        return [row["name"] for row in await connection.fetch("SELECT name FROM effects ORDER BY id")]
    finally:
        await connection.close()


async def test_a_consumer_that_dies_anywhere_has_each_effect_once(
    parts: Parts, database_url: MakeUrl, reader: Reader
) -> None:
    url = await database_url("registration")
    learned = await deaths.whole_course(programs.consume, await stream_to_take(parts, url, reader))
    for what in ("INSERT INTO inbox", "INSERT INTO effects", "INSERT INTO outbox", "COMMIT", "commit offsets"):
        assert any(step.startswith(what) for step in learned.points), what

    async def die(step: str) -> None:
        ground = await stream_to_take(parts, await database_url("registration"), reader)
        if not died(await deaths.run(programs.consume, ground, step), step):
            return
        await reader.say(ground.heard, told("last", uuid4(), 1))
        service = ground.service(follows=True)

        async def all_taken() -> bool:
            return "last" in await effects(service)

        async with service.running():
            await eventually(lambda: ready(service), "the successor to be ready")
            await eventually(all_taken, "the last record to be taken")
            await eventually(lambda: nothing_waits(ground), "the outbox to be sent")
        assert await effects(service) == ["first", "second", "last"]
        said = {each.header("ce_id"): each.data["name"] for each in await reader.records(ground.said)}
        assert sorted(said.values()) == ["first", "last", "second"]

    await die_everywhere(programs.consume, learned.points, die)


# The sender


async def house_that_owes(url: str, room: Mailroom, name: str) -> House:
    """Give a service that owes one person one mail."""
    woken, clock, database = asyncio.Event(), HandClock(), Database(url, "notifications")
    subscriptions = followers(Told(staff=(LAIA.name,), wake=woken.set)).subscriptions
    consumers = {each.name: Consumer(each, database, clock) for each in subscriptions}
    house = House(database, clock, room, consumers, make_paper(), woken)
    meeting, somebody = workshop(), person(email=f"{name}@example.org")
    for each in (meeting, somebody, enrolment(somebody, meeting)):
        await house.tell(each)
    return house


async def test_a_sender_that_dies_anywhere_writes_once_or_twice_and_then_says_that_it_is_uncertain(
    parts: Parts, database_url: MakeUrl
) -> None:
    async with mailroom() as room:
        at = Ground("", parts.kafka, smtp_port=room.port)
        url = await database_url("notifications")
        await (await house_that_owes(url, room, "nobody")).database.close()
        learned = await deaths.whole_course(programs.send, replace(at, database_url=url))
        for what in ("WITH due AS", "COMMIT", "SMTP MAIL", "SMTP DATA", "SMTP the mail itself", "WITH told AS"):
            assert any(step.startswith(what) for step in learned.points), what
        outcomes: set[tuple[str, int]] = set()

        async def die(step: str) -> None:
            url, mark = await database_url("notifications"), uuid4().hex
            house = await house_that_owes(url, room, mark)
            try:
                if not died(await deaths.run(programs.send, replace(at, database_url=url), step), step):
                    return
                outcomes.add(await settled(house, room, f"{mark}@example.org"))
            finally:
                await house.database.close()

        await die_everywhere(programs.send, learned.points, die)
    assert outcomes == {("sent", 1), ("uncertain", 1), ("uncertain", 2)}


async def settled(house: House, room: Mailroom, address: str) -> tuple[str, int]:
    """Let another sender take over; answer what the ledger says of the mail, and how often it went."""
    post = SmtpPost(SmtpServer("127.0.0.1", room.port, "smtp"))
    successor = Sender(house.database, house.clock, post, house.paper, CATALOGUES, house.woken, recover_every=0)

    async def ended() -> bool:
        await successor.drain()
        return not [each for each in await house.notices(state="owed") if each.person_id]

    await eventually(ended, "the mail to be settled")
    await successor.close()
    (notice,) = [each for each in await house.notices() if each.person_id]
    mails = room.to(address)
    assert {str(notice.notice_id) in str(each.message["Message-ID"]) for each in mails} == {True}
    said = [kind for kind, payload in await house.said() if str(notice.notice_id) in payload]
    assert said == ["notice.sent"]
    return notice.state, len(mails)
