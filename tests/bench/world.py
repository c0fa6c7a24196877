"""Whom and what the load is made of: workshops, people, organisations, and their requests as bytes."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from services.registration import operations
from shared.database import Database
from shared.events.catalogue import Session, Terms, WorkshopScheduled
from shared.messaging import publishers

PUBLISHER = "bench"
WORKSHOPS = 200
ORGANISATIONS = 500
SEATS = 1_000_000
SPOILT = 10
_SPACE = uuid.UUID("019a0000-0000-7000-8000-000000000000")
Headers = list[tuple[str, bytes]]


def workshop_id(number: int) -> uuid.UUID:
    """Give the id of one of the workshops; the same in every run."""
    return uuid.UUID(int=_SPACE.int + number)


def workshop(number: int, now: datetime) -> WorkshopScheduled:
    """Make a workshop with more seats than anybody asks for, to be held in a month."""
    begins = now + timedelta(days=30)
    session = Session(starts_at=begins, ends_at=begins + timedelta(hours=2), timezone="Europe/Madrid", mode="in_person")
    return WorkshopScheduled(
        workshop_id=workshop_id(number),
        slug=f"taller-{number}",
        state="scheduled",
        kind="workshop",
        title={"ca": f"Taller {number}", "es": f"Taller {number}", "en": f"Workshop {number}"},
        seats={"in_person": SEATS},
        sessions=(session,),
        registration=Terms(),
    )


async def furnish(url: str) -> None:
    """Give registration its workshops and the publisher, by its own operations."""
    database = Database(url, "registration")
    now = datetime.now(UTC)
    try:
        async with database.transaction(now) as tx:
            await publishers.add(tx.session, PUBLISHER, now)
            for number in range(WORKSHOPS):
                await operations.keep_workshop(tx, workshop(number, now), 1)
        async with database.transaction(now) as tx:
            await tx.session.execute(text("DELETE FROM outbox"))
    finally:
        await database.close()


def body(number: int, workshops: int, tag: str) -> bytes:
    """Write what the person of that number fills in, for one of so many workshops."""
    organisation = number * 7 % ORGANISATIONS
    return (
        f'{{"workshop_id":"{workshop_id(number % workshops)}","attendance":"in_person",'
        f'"person":{{"name":"Núria Camps {number}","email":"{tag}.{number}@example.org","language":"ca"}},'
        f'"organisation":{{"name":"Ajuntament {organisation}","kind":"city","country":"ES","population":39844}},'
        f'"accepts":["privacy"],"groups":[]}}'
    ).encode()


def requests(count: int, workshops: int = WORKSHOPS) -> Iterator[tuple[bytes, bytes, Headers]]:
    """Write that many `enrolment.requested` as an outside system sends them: key, value, headers."""
    said = datetime.now(UTC).isoformat()
    for number in range(count):
        key = str(uuid.uuid4()).encode()
        headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(uuid.uuid4()).encode()),
            ("ce_type", b"enrolment.requested"),
            ("ce_source", f"/publishers/{PUBLISHER}".encode()),
            ("ce_subject", key),
            ("ce_time", said.encode()),
            ("content-type", b"application/json"),
        ]
        yield key, body(number, workshops, "bus"), headers


def spoilt(requests: Iterable[tuple[bytes, bytes, Headers]]) -> Iterator[tuple[bytes, bytes, Headers]]:
    """Make every tenth of them poison, each kind in its turn: unreadable, of another type, no JSON, not allowed."""
    for number, (key, value, headers) in enumerate(requests):
        if number % SPOILT:
            yield key, value, headers
            continue
        match number // SPOILT % 4:
            case 0:
                yield key, value, headers[1:]
            case 1:
                yield key, value, [*(each for each in headers if each[0] != "ce_type"), ("ce_type", b"no.such")]
            case 2:
                yield key, value[:-1], headers
            case _:
                yield key, value.replace(b'"privacy"', b""), headers
