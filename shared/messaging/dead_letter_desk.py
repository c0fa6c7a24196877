"""What staff do about dead letters: look at them, have them tried again, put them away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import Conflict, NotFound
from shared.messaging import inbox, parking
from shared.messaging.dead_letters import Fault, Letter
from shared.messaging.envelope import LONGEST_KEY, Record, unpack_headers

State = Literal["open", "retried", "discarded"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter as it is kept: `consumer` is who could not take it, `settled_at` when staff decided on it."""

    id: int
    consumer: str
    letter: Letter
    at: datetime
    state: State
    settled_at: datetime | None


async def listed(session: AsyncSession, states: Sequence[State], *, after: int, limit: int) -> list[Kept]:
    """Give up to `limit` dead letters in these states with an id above `after`, the oldest first."""
    rows = await session.execute(
        text(
            """
            SELECT * FROM dead_letters WHERE state = ANY(CAST(:states AS text[])) AND id > :after
            ORDER BY id LIMIT :limit
            """
        ),
        {"states": list(states), "after": after, "limit": limit},
    )
    return [_kept(row) for row in rows]


async def find(session: AsyncSession, number: int) -> Kept:
    """Give one; raises NotFound."""
    rows = await session.execute(text("SELECT * FROM dead_letters WHERE id = :id"), {"id": number})
    row = rows.one_or_none()
    if row is None:
        slug = "unknown-dead-letter"
        raise NotFound(slug, f"There is no dead letter {number} here; it may have been settled long ago.")
    return _kept(row)


async def retry(session: AsyncSession, number: int, now: datetime) -> Kept:
    """Have the consumer that failed try a dead letter again, and nobody else: it waits with it, due at once.

    It keeps its identity, so that an effect it has had meanwhile is not had again. What waits of its key stays behind
    it. One that fails again is a new dead letter. Raises NotFound, or Conflict where it was settled before, or where
    its key is too long to wait by.
    """
    kept = await _settle(session, number, "retried", now)
    if len(kept.letter.record.key or b"") > LONGEST_KEY:
        slug = "key-too-long"
        raise Conflict(
            slug, f"The dead letter {number} has a key of more than {LONGEST_KEY} bytes: no try can take it."
        )
    await parking.put_first(session, kept.consumer, kept.letter.record, "retried", now)
    if not kept.letter.identity.of_a_place:
        await inbox.note(session, kept.consumer, [inbox.Outcome(kept.letter.identity, "waiting", "retried")])
    return kept


async def discard(session: AsyncSession, number: int, now: datetime) -> Kept:
    """Put a dead letter away for good; raises NotFound, or Conflict where it was settled before."""
    return await _settle(session, number, "discarded", now)


async def _settle(session: AsyncSession, number: int, state: State, now: datetime) -> Kept:
    settled = await session.scalar(
        text(
            """
            UPDATE dead_letters SET state = :state, settled_at = :now WHERE id = :id AND state = 'open' RETURNING id
            """
        ),
        {"state": state, "now": now, "id": number},
    )
    kept = await find(session, number)
    if settled is None:
        slug = "settled-before"
        raise Conflict(slug, f"The dead letter {number} was {kept.state} before, at {kept.settled_at:%Y-%m-%d %H:%M}.")
    return kept


def _kept(row: Row[tuple[object, ...]]) -> Kept:
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    key, value = columns["key"], columns["value"]
    return Kept(
        id=columns["id"],
        consumer=columns["consumer"],
        letter=Letter(
            Record(
                topic=columns["topic"],
                partition=columns["partition"],
                offset=columns["offset"],
                key=None if key is None else bytes(key),
                value=None if value is None else bytes(value),
                headers=unpack_headers(bytes(columns["headers"])),
            ),
            inbox.Identity(columns["source"], columns["event_id"]),
            Fault(columns["reason"], columns["detail"]),
            columns["attempts"],
        ),
        at=columns["at"],
        state=columns["state"],
        settled_at=columns["settled_at"],
    )
