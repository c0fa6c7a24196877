"""What this service keeps of others' facts: only what is newer than what it has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


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
    INSERT INTO people (person_id, sequence, name, email, language)
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:names AS text[]), CAST(:emails AS text[]),
        CAST(:languages AS text[])
    ) AS t (person_id, sequence, name, email, language)
    ORDER BY person_id
    ON CONFLICT (person_id) DO UPDATE SET sequence = excluded.sequence, name = excluded.name, email = excluded.email,
        language = excluded.language
    WHERE excluded.sequence > people.sequence
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


async def save_people(session: AsyncSession, people: Iterable[PersonCopy]) -> None:
    """Keep the newest of each person."""
    rows = list({each.person_id: each for each in sorted(people, key=lambda each: each.sequence)}.values())
    await session.execute(
        _PEOPLE,
        {
            "ids": [each.person_id for each in rows],
            "sequences": [each.sequence for each in rows],
            "names": [each.name for each in rows],
            "emails": [each.email for each in rows],
            "languages": [each.language for each in rows],
        },
    )


async def enrolments_before(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
    """Give (sequence, state) of those of `ids` that are known."""
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
    await _save(session, "workshops", "data", workshop_id, sequence, data)
    return True, None if before is None else before.data


async def save_joining(session: AsyncSession, workshop_id: UUID, sequence: int, data: str) -> None:
    """Keep the join links of a workshop (the fact's JSON)."""
    await _save(session, "joining", "data", workshop_id, sequence, data)


async def save_seats(
    session: AsyncSession, workshop_id: UUID, sequence: int, available: str
) -> tuple[bool, str | None]:
    """Keep the seats left of a workshop (JSON); answers whether it is news, and what was known until then."""
    before = (
        await session.execute(
            text("SELECT sequence, CAST(available AS text) AS available FROM seats WHERE workshop_id = :id FOR UPDATE"),
            {"id": workshop_id},
        )
    ).one_or_none()
    if before is not None and before.sequence >= sequence:
        return False, before.available
    await _save(session, "seats", "available", workshop_id, sequence, available)
    return True, None if before is None else before.available


async def _save(session: AsyncSession, table: str, column: str, workshop_id: UUID, sequence: int, data: str) -> None:
    await session.execute(
        text(
            f"""
            INSERT INTO {table} (workshop_id, sequence, {column}) VALUES (:id, :sequence, CAST(:data AS jsonb))
            ON CONFLICT (workshop_id) DO UPDATE SET sequence = excluded.sequence, {column} = excluded.{column}
            WHERE excluded.sequence > {table}.sequence
            """  # noqa: S608 - the names are this module's own
        ),
        {"id": workshop_id, "sequence": sequence, "data": data},
    )
