"""What this service keeps of others' facts: only what is newer than what it has."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.domain import Decision

Available = Mapping[str, int | None]
"""Seats left by way of attending; None is unlimited."""


@dataclass(frozen=True, slots=True)
class PersonCopy:
    """Who may be written to."""

    person_id: UUID
    sequence: int
    name: str
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class EnrolmentCopy:
    """How an enrolment stands."""

    enrolment_id: UUID
    sequence: int
    workshop_id: UUID
    person_id: UUID
    attendance: str
    state: str
    waitlist_position: int | None


_PEOPLE = text(
    """
    WITH saved AS (
        INSERT INTO people (person_id, sequence, name, email, language)
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:names AS text[]), CAST(:emails AS text[]),
            CAST(:languages AS text[])
        ) AS t (person_id, sequence, name, email, language)
        ORDER BY person_id
        ON CONFLICT (person_id) DO UPDATE SET sequence = excluded.sequence, name = excluded.name,
            email = excluded.email, language = excluded.language
        WHERE excluded.sequence > people.sequence
    )
    UPDATE notices SET due_at = :now, reason = NULL
    WHERE person_id = ANY(CAST(:ids AS uuid[])) AND state = 'owed' AND claim IS NULL AND reason = :lacking
    RETURNING notice_id
    """
)
_ENROLMENTS = text(
    """
    INSERT INTO enrolments (enrolment_id, sequence, workshop_id, person_id, attendance, state, waitlist_position)
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:workshops AS uuid[]), CAST(:people AS uuid[]),
        CAST(:attendances AS text[]), CAST(:states AS text[]), CAST(:positions AS integer[])
    ) AS t (enrolment_id, sequence, workshop_id, person_id, attendance, state, waitlist_position)
    ORDER BY enrolment_id
    ON CONFLICT (enrolment_id) DO UPDATE SET sequence = excluded.sequence, workshop_id = excluded.workshop_id,
        person_id = excluded.person_id, attendance = excluded.attendance, state = excluded.state,
        waitlist_position = excluded.waitlist_position
    WHERE excluded.sequence > enrolments.sequence
    """
)


_SEATS = text(
    """
    INSERT INTO seats (workshop_id, sequence, available)
    SELECT workshop_id, sequence, CAST(available AS jsonb)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:available AS text[]))
        AS t (workshop_id, sequence, available)
    ON CONFLICT (workshop_id) DO UPDATE SET sequence = excluded.sequence, available = excluded.available
    WHERE excluded.sequence > seats.sequence
    """
)


async def save_people(session: AsyncSession, people: Iterable[PersonCopy], now: datetime) -> bool:
    """Keep the newest of each person, and make due what waited for them; tells whether anything did."""
    rows = list({each.person_id: each for each in sorted(people, key=lambda each: each.sequence)}.values())
    hastened = await session.scalars(
        _PEOPLE,
        {
            "ids": [each.person_id for each in rows],
            "sequences": [each.sequence for each in rows],
            "names": [each.name for each in rows],
            "emails": [each.email for each in rows],
            "languages": [each.language for each in rows],
            "now": now,
            "lacking": Decision.LACKS_RECIPIENT.value,
        },
    )
    return bool(hastened.all())


async def people_before(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, int]:
    """Give the sequence of those of `ids` that are known."""
    rows = await session.execute(
        text("SELECT person_id, sequence FROM people WHERE person_id = ANY(CAST(:ids AS uuid[]))"), {"ids": list(ids)}
    )
    return {row.person_id: row.sequence for row in rows}


async def enrolments_before(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, tuple[int, str]]:
    """Give (sequence, state) of those of `ids` that are known."""
    if not ids:
        return {}
    rows = await session.execute(
        text("SELECT enrolment_id, sequence, state FROM enrolments WHERE enrolment_id = ANY(CAST(:ids AS uuid[]))"),
        {"ids": list(ids)},
    )
    return {row.enrolment_id: (row.sequence, row.state) for row in rows}


async def save_enrolments(session: AsyncSession, rows: Sequence[EnrolmentCopy]) -> None:
    """Keep each of `rows`, of which there is one an enrolment, unless a newer one is known."""
    await session.execute(
        _ENROLMENTS,
        {
            "ids": [each.enrolment_id for each in rows],
            "sequences": [each.sequence for each in rows],
            "workshops": [each.workshop_id for each in rows],
            "people": [each.person_id for each in rows],
            "attendances": [each.attendance for each in rows],
            "states": [each.state for each in rows],
            "positions": [each.waitlist_position for each in rows],
        },
    )


async def live_enrolments(session: AsyncSession, workshop_id: UUID, live: Iterable[str]) -> list[tuple[UUID, UUID]]:
    """Give (enrolment, person) of those of a workshop whose state is one of `live`."""
    rows = await session.execute(
        text(
            """
            SELECT enrolment_id, person_id FROM enrolments
            WHERE workshop_id = :workshop AND state = ANY(CAST(:live AS text[])) ORDER BY enrolment_id
            """
        ),
        {"workshop": workshop_id, "live": sorted(live)},
    )
    return [(row.enrolment_id, row.person_id) for row in rows]


async def save_workshop(session: AsyncSession, workshop_id: UUID, sequence: int, data: str) -> tuple[bool, str | None]:
    """Keep a workshop's fact (JSON); answers whether it is news, and the fact known until then."""
    before = (
        await session.execute(
            text("SELECT sequence, CAST(data AS text) AS data FROM workshops WHERE workshop_id = :id FOR UPDATE"),
            {"id": workshop_id},
        )
    ).one_or_none()
    if before is not None and before.sequence >= sequence:
        return False, before.data
    await _save(session, "workshops", workshop_id, sequence, data)
    return True, None if before is None else before.data


async def hasten_workshop(session: AsyncSession, workshop_id: UUID, now: datetime) -> bool:
    """Make due what waited for this workshop to be known; tells whether anything did."""
    hastened = await session.scalars(
        text(
            """
            UPDATE notices SET due_at = :now, reason = NULL
            WHERE workshop_id = :id AND state = 'owed' AND claim IS NULL AND reason = :lacking
            RETURNING notice_id
            """
        ),
        {"id": workshop_id, "now": now, "lacking": Decision.LACKS_WORKSHOP.value},
    )
    return bool(hastened.all())


async def save_joining(session: AsyncSession, workshop_id: UUID, sequence: int, data: str) -> bool:
    """Keep the join links of a workshop (the fact's JSON); false where something as new is kept already."""
    return await _save(session, "joining", workshop_id, sequence, data)


async def seats_before(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, tuple[int, Available]]:
    """Give (sequence, seats left) of those workshops of `ids` whose seats are known, and lock their rows."""
    rows = await session.execute(
        text(
            """
            SELECT workshop_id, sequence, CAST(available AS text) AS available FROM seats
            WHERE workshop_id = ANY(CAST(:ids AS uuid[])) ORDER BY workshop_id FOR UPDATE
            """
        ),
        {"ids": list(ids)},
    )
    return {row.workshop_id: (row.sequence, json.loads(row.available)) for row in rows}


async def save_seats(session: AsyncSession, seats: Mapping[UUID, tuple[int, Available]]) -> None:
    """Keep the seats left of workshops, unless newer ones are known."""
    ids = sorted(seats)
    await session.execute(
        _SEATS,
        {
            "ids": ids,
            "sequences": [seats[each][0] for each in ids],
            "available": [json.dumps(seats[each][1]) for each in ids],
        },
    )


async def _save(session: AsyncSession, table: str, workshop_id: UUID, sequence: int, data: str) -> bool:
    kept = await session.scalar(
        text(
            f"""
            INSERT INTO {table} (workshop_id, sequence, data) VALUES (:id, :sequence, CAST(:data AS jsonb))
            ON CONFLICT (workshop_id) DO UPDATE SET sequence = excluded.sequence, data = excluded.data
            WHERE excluded.sequence > {table}.sequence
            RETURNING workshop_id
            """  # noqa: S608 - the names are this module's own
        ),
        {"id": workshop_id, "sequence": sequence, "data": data},
    )
    return kept is not None
