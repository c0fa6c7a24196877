"""A notifications database, a mail server, and words in which tests tell events and look at mails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest_asyncio
import uuid_utils.compat as uuids
from sqlalchemy import text

from services.notifications.clients import Post, SmtpPost
from services.notifications.domain import Rule
from services.notifications.operations.owe import Office as Told
from services.notifications.rendering.letter import Paper
from services.notifications.rendering.mail import SERVICE
from services.notifications.sender import Sender
from services.notifications.settings import SmtpServer
from services.notifications.subscribers import followers
from shared import web
from shared.database import Database
from shared.events.base import Event
from shared.events.catalogue import Session, WorkshopFact, WorkshopScheduled
from shared.events.registration import EnrolmentCreated, EnrolmentFact, PersonRegistered
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, seal
from shared.settings import Office, Staff
from shared.web.i18n import Catalogues
from shared.web.tokens import Links
from tests.clock import HandClock
from tests.conftest import MakeDatabase
from tests.operations.notifications.smtp import Mailroom, mailroom

NURIA = "nuria@example.org"
LAIA = Staff(name="laia", email="laia@example.cat", language="en")
CATALOGUES = Catalogues.load(Path(web.__file__).parent, SERVICE)


def make_paper() -> Paper:
    """Make the paper of an office with one on its staff."""
    office = Office(name={"ca": "Oficina d'Europa"}, address="office@example.cat", staff=(LAIA,))
    return Paper(office, "convoca@example.cat", "https://convoca.example.cat", Links(["k" * 32]))


@dataclass
class House:
    """The service without its process: its subscriptions, its sender, and what SMTP got."""

    database: Database
    clock: HandClock
    room: Mailroom
    consumers: dict[str, Consumer]
    paper: Paper
    woken: asyncio.Event
    sequences: dict[UUID | str, int] = field(default_factory=dict)
    offsets: int = 0

    async def tell(self, *events: Event, key: UUID | str | None = None) -> list[Record]:
        """Let events arrive together, each the newest of its aggregate; they must be of one stream."""
        records = [self.record(event, key) for event in events]
        await self.redeliver(events[0], records)
        return records

    async def redeliver(self, like: Event, records: Sequence[Record]) -> None:
        """Let records arrive, maybe once more."""
        consumer = next(each for each in self.consumers.values() if like.type in each.subscription.events)
        await consumer.take(records)

    def record(self, event: Event, key: UUID | str | None = None, sequence: int | None = None) -> Record:
        """Make the record of an event."""
        aggregate = key or _key(event)
        if sequence is None:
            sequence = self.sequences[aggregate] = self.sequences.get(aggregate, 0) + 1
        message = seal(event, source="/convoca/test", key=aggregate, sequence=sequence, now=self.clock())
        self.offsets += 1
        return Record(message.topic, 0, self.offsets, message.key, message.value, message.headers)

    def sender(self) -> Sender:
        """Make a sender, as a process has one."""
        return self.sender_by(SmtpPost(SmtpServer("127.0.0.1", self.room.port, "smtp")))

    def sender_by(self, post: Post) -> Sender:
        """Make a sender that hands over to `post`."""
        return Sender(self.database, self.clock, post, self.paper, CATALOGUES, self.woken)

    async def send(self) -> None:
        """Send all that is due."""
        sender = self.sender()
        await sender.drain()
        await sender.close()

    async def notices(self, *, rule: Rule | None = None, **filters: Any) -> list[Any]:  # noqa: ANN401 - any column
        """Read the ledger, oldest first."""
        wanted = filters | ({"rule": rule.value} if rule else {})
        where = " AND ".join(f"{name} = :{name}" for name in wanted) or "true"
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(text(f"SELECT * FROM notices WHERE {where} ORDER BY ordinal"), wanted)  # noqa: S608
            return list(rows)

    async def said(self) -> list[tuple[str, str]]:
        """Give what this service has said on the bus: type and payload."""
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(text("SELECT type, payload FROM outbox ORDER BY id"))
            return [(row.type, bytes(row.payload).decode()) for row in rows]


def _key(event: Event) -> UUID | str:
    for name in ("enrolment_id", "workshop_id", "person_id"):
        if found := getattr(event, name, None):
            return UUID(str(found))
    return event.type


def workshop(shape: type[WorkshopFact] = WorkshopScheduled, **changes: Any) -> WorkshopFact:  # noqa: ANN401 - any field
    """Make the fact of a workshop a month ahead."""
    starts_at = changes.pop("starts_at", datetime.fromisoformat("2027-02-10T10:00:00+00:00"))
    fields: dict[str, Any] = {
        "workshop_id": uuids.uuid7(),
        "slug": "primera-reunio",
        "state": "scheduled",
        "kind": "group_meeting",
        "title": {"ca": "Primera reunió", "en": "First meeting"},
        "seats": {"online": 40},
        "sessions": (
            Session(
                starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), timezone="Europe/Brussels", mode="online"
            ),
        ),
    }
    return shape(**(fields | changes))


def person(name: str = "Núria Camps", **changes: Any) -> PersonRegistered:  # noqa: ANN401 - any field
    """Make the fact of a person."""
    address = f"{name.split(maxsplit=1)[0].lower()}@example.org".replace("ú", "u")
    return PersonRegistered(
        **({"person_id": uuids.uuid7(), "name": name, "email": address, "language": "ca"} | changes)
    )


def enrolment(
    of: PersonRegistered,
    at: WorkshopFact,
    shape: type[EnrolmentFact] = EnrolmentCreated,
    **changes: Any,  # noqa: ANN401 - any field
) -> EnrolmentFact:
    """Make the fact of an enrolment: confirmed, unless said otherwise."""
    fields: dict[str, Any] = {
        "enrolment_id": uuids.uuid7(),
        "workshop_id": at.workshop_id,
        "person_id": of.person_id,
        "attendance": "online",
        "state": "confirmed",
        "number": 1,
        "accepted_at": datetime.fromisoformat("2027-01-11T09:00:00+00:00"),
    }
    return shape(**(fields | changes))


def step(before: EnrolmentFact, shape: type[EnrolmentFact], state: str) -> EnrolmentFact:
    """Take an enrolment a step further."""
    return shape(**(before.model_dump() | {"state": state}))


async def enrolled(house: House, who: PersonRegistered | None = None, state: str = "confirmed") -> EnrolmentFact:
    """Let somebody enrol in a meeting, all of it known."""
    meeting, somebody = workshop(), who or person()
    await house.tell(meeting)
    await house.tell(somebody)
    created = enrolment(somebody, meeting, state=state)
    await house.tell(created)
    return created


@pytest_asyncio.fixture
async def house(database: MakeDatabase, clock: HandClock) -> AsyncIterator[House]:
    """Give the service, with Laia as its only staff."""
    woken = asyncio.Event()
    opened = await database("notifications")
    told = Told(staff=(LAIA.name,), wake=woken.set)
    consumers = {each.name: Consumer(each, opened, clock) for each in followers(told).subscriptions}
    async with mailroom() as room:
        yield House(opened, clock, room, consumers, make_paper(), woken)
