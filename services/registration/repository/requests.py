"""By whom enrolments were asked for, and by which request: their first steps remember it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ASKED_BY = text("SELECT by FROM steps WHERE enrolment_id = :id AND sequence = 1")
_ENROLMENT_OF = text(
    """
    SELECT e.enrolment_id FROM enrolments e JOIN steps s ON s.enrolment_id = e.enrolment_id AND s.sequence = 1
    WHERE e.request_id = :request_id AND s.by = :by ORDER BY e.number DESC LIMIT 1
    """
)
_WORKSHOPS = text("SELECT DISTINCT workshop_id FROM enrolments WHERE enrolment_id = ANY(CAST(:ids AS uuid[]))")


async def asked_by(session: AsyncSession, enrolment_id: UUID) -> str | None:
    """Tell who asked for an enrolment; None where there is no such enrolment."""
    by: str | None = await session.scalar(_ASKED_BY, {"id": enrolment_id})
    return by


async def enrolment_of(session: AsyncSession, by: str, request_id: str) -> UUID | None:
    """Find the enrolment that came of a request."""
    found: UUID | None = await session.scalar(_ENROLMENT_OF, {"request_id": request_id, "by": by})
    return found


async def workshops_of(session: AsyncSession, enrolment_ids: Collection[UUID]) -> set[UUID]:
    """Tell of which workshops these enrolments are."""
    return set(await session.scalars(_WORKSHOPS, {"ids": list(enrolment_ids)}))
