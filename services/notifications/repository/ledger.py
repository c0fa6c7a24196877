"""The ledger as it is read."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.notifications.tables import Notice


async def read(
    session: AsyncSession,
    *,
    event_id: str | None,
    person_id: UUID | None,
    workshop_id: UUID | None,
    state: str | None,
    before: int | None,
    limit: int,
) -> Sequence[Notice]:
    """Give notices, the newest first, that match every filter given; `before` is the ordinal to read on from."""
    wanted = select(Notice).order_by(col(Notice.ordinal).desc()).limit(limit)
    filters = {
        Notice.event_id: event_id,
        Notice.person_id: person_id,
        Notice.workshop_id: workshop_id,
        Notice.state: state,
    }
    for column, value in filters.items():
        if value is not None:
            wanted = wanted.where(col(column) == value)
    if before is not None:
        wanted = wanted.where(col(Notice.ordinal) < before)
    return (await session.scalars(wanted)).all()
