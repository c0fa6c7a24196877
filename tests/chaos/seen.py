"""What is there after a storm: rows, records and mails, read past every wire."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from shared.events.topics import SERVICES
from shared.messaging.envelope import unpack_headers
from tests.chaos.world import World
from tests.system.stack import Mail
from tests.system.streams import Record, connected

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Said:
    """A message of an outbox, in the order in which it was committed to be sent."""

    service: str
    event_id: str
    topic: str
    key: str
    type: str
    sequence: int | None
    data: dict[str, Any]
    sent: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that is looked at."""

    said: Sequence[Said]
    records: Sequence[Record]
    enrolments: Sequence[Row]
    steps: Sequence[Row]
    seats: Sequence[Row]
    inbox: dict[str, str]
    copies: dict[UUID, tuple[int, str]]
    notices: Sequence[Row]
    dead_letters: int
    mails: Sequence[Mail]


async def look_around(world: World) -> Seen:
    """Read it all."""
    async with AsyncExitStack() as at_end:
        databases = {}
        for name, url in world.databases.items():
            databases[name] = connection = await asyncpg.connect(url)
            at_end.push_async_callback(connection.close)
        registration, notifications = databases["registration"], databases["notifications"]
        bus = await at_end.enter_async_context(connected(world.kafka))
        said = [
            _said(service, row)
            for service in SERVICES
            for row in await databases[service].fetch("SELECT * FROM outbox ORDER BY id")
        ]
        return Seen(
            said=said,
            records=await bus.records(*sorted({each.topic for each in said})),
            enrolments=await registration.fetch(
                "SELECT e.*, p.email FROM enrolments e JOIN people p USING (person_id) ORDER BY number"
            ),
            steps=await registration.fetch("SELECT enrolment_id, sequence FROM steps ORDER BY enrolment_id, sequence"),
            seats=await registration.fetch("SELECT * FROM seats WHERE on_offer"),
            inbox={
                row["id"]: row["outcome"]
                for row in await registration.fetch(
                    "SELECT id, outcome FROM inbox WHERE consumer = 'registration.inbound.registration'"
                )
            },
            copies={
                row["enrolment_id"]: (row["sequence"], row["state"])
                for row in await notifications.fetch("SELECT enrolment_id, sequence, state FROM enrolments")
            },
            notices=await notifications.fetch("SELECT * FROM notices ORDER BY ordinal"),
            dead_letters=sum([await each.fetchval("SELECT count(*) FROM dead_letters") for each in databases.values()]),
            mails=await _mails(world.mailbox),
        )


async def _mails(mailbox: str) -> list[Mail]:
    async with httpx.AsyncClient(base_url=mailbox, trust_env=False, timeout=30) as http:
        answer = await http.get("/mailbox.json")
    return [Mail.model_validate(each) for each in answer.raise_for_status().json()]


def _said(service: str, row: Row) -> Said:
    sequence = dict(unpack_headers(row["headers"])).get("ce_sequence")
    return Said(
        service=service,
        event_id=row["event_id"],
        topic=row["topic"],
        key=(row["key"] or b"").decode(),
        type=row["type"],
        sequence=int(sequence) if sequence else None,
        data=json.loads(row["payload"] or b"{}"),
        sent=row["published_at"] is not None,
    )
