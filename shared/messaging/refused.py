"""What staff do about messages that the broker refused for good: look at them, have them sent again, put them away.

Such a row stays in the outbox and holds back what comes after it of its key, and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import NotFound

_COLUMNS = """
    o.id, o.topic, o.type, o.event_id, o.refused AS reason, o.created_at AS at,
    (SELECT count(*) FROM outbox b WHERE b.topic = o.topic AND b.key = o.key AND b.id > o.id
        AND b.published_at IS NULL AND b.refused IS NULL) AS behind
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that the broker refused, why, and how many of its key wait behind it."""

    id: int
    topic: str
    type: str
    event_id: str
    reason: str
    at: datetime
    behind: int


async def listed(session: AsyncSession, *, after: int, limit: int) -> list[Refused]:
    """Give up to `limit` of them with an id above `after`, the oldest first."""
    rows = await session.execute(
        text(
            f"SELECT {_COLUMNS} FROM outbox o WHERE o.refused IS NOT NULL AND o.published_at IS NULL"  # noqa: S608
            " AND o.id > :after ORDER BY o.id LIMIT :limit"
        ),
        {"after": after, "limit": limit},
    )
    return [Refused(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it


async def retry(session: AsyncSession, number: int) -> Refused:
    """Let one wait to be sent again, before what waits behind it; raises NotFound."""
    found = await _find(session, number)
    await session.execute(text("UPDATE outbox SET refused = NULL WHERE id = :id"), {"id": number})
    return found


async def discard(session: AsyncSession, number: int) -> Refused:
    """Delete one, which nobody will ever hear of; what waits behind it is sent. Raises NotFound."""
    found = await _find(session, number)
    await session.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": number})
    return found


async def _find(session: AsyncSession, number: int) -> Refused:
    rows = await session.execute(
        text(
            f"SELECT {_COLUMNS} FROM outbox o WHERE o.id = :id AND o.refused IS NOT NULL AND o.published_at IS NULL"  # noqa: S608
            " FOR UPDATE"
        ),
        {"id": number},
    )
    row = rows.one_or_none()
    if row is None:
        slug = "not-refused"
        raise NotFound(slug, f"There is no refused message {number} here; it may have been settled meanwhile.")
    return Refused(**row._mapping)  # noqa: SLF001
