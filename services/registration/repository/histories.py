"""Enrolments as people look at them: the steps of one, the list of a workshop."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registration.domain import State
from services.registration.repository.enrolments import COLUMNS, Enrolment, enrolment_of

_STEPS = text("SELECT at, before, after, by, reason FROM steps WHERE enrolment_id = :id ORDER BY sequence")
_LIST = text(
    f"""
    SELECT {COLUMNS}, q.place AS waitlist_position, p.name AS person_name, p.email, p.language,
        o.name AS organisation_name, o.kind, o.country, o.population
    FROM enrolments e JOIN people p USING (person_id)
    LEFT JOIN (
        SELECT enrolment_id, row_number() OVER (PARTITION BY attendance ORDER BY number) AS place
        FROM enrolments WHERE workshop_id = :id AND state = 'waitlisted'
    ) q ON q.enrolment_id = e.enrolment_id
    LEFT JOIN organisations o ON o.organisation_id = e.organisation_id
    WHERE e.workshop_id = :id AND e.number > :after ORDER BY e.number LIMIT :limit
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an enrolment's life."""

    at: datetime
    before: State | None
    after: State
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """An enrolment with who it is, as staff see it."""

    enrolment: Enrolment
    name: str
    email: str
    language: str
    organisation: str | None
    kind: str | None
    country: str | None
    population: int | None


async def steps(session: AsyncSession, enrolment_id: UUID) -> list[Step]:
    """Read the life of an enrolment, first step first."""
    rows = await session.execute(_STEPS, {"id": enrolment_id})
    return [Step(row.at, row.before, row.after, row.by, row.reason) for row in rows]


async def listed(session: AsyncSession, workshop_id: UUID, after: int, limit: int) -> list[Listed]:
    """Read the enrolments of a workshop whose number is above `after`, `limit` at the most, in their order."""
    rows = await session.execute(_LIST, {"id": workshop_id, "after": after, "limit": limit})
    return [
        Listed(
            enrolment_of(row),
            row.person_name,
            row.email,
            row.language,
            row.organisation_name,
            row.kind,
            row.country,
            row.population,
        )
        for row in rows
    ]
