"""The waiting place: events that came before what they refer to, each key in its order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.envelope import Record, pack_headers, unpack_headers

FIRST_WAIT = timedelta(milliseconds=250)
LONGEST_WAIT = timedelta(seconds=30)

Key = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that waits, since when, and how often it was tried."""

    id: int
    record: Record
    attempts: int
    parked_at: datetime


async def keys_that_wait(session: AsyncSession, consumer: str, keys: Iterable[Key]) -> set[Key]:
    """Tell which of `keys` (topic and record key) have an earlier event waiting, so that a later one must too."""
    wanted = {key for key in keys if key[1] is not None}
    rows = await session.execute(
        text(
            """
            SELECT DISTINCT topic, key FROM parked
            WHERE consumer = :consumer
              AND (topic, key) IN (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:keys AS bytea[])))
            """
        ),
        {"consumer": consumer, "topics": [key[0] for key in wanted], "keys": [key[1] for key in wanted]},
    )
    return {(topic, bytes(key)) for topic, key in rows}


async def park(
    session: AsyncSession,
    consumer: str,
    records: Sequence[tuple[Record, str]],
    now: datetime,
    due_at: datetime | None = None,
) -> None:
    """Let records wait, each with its reason, in their order, to be tried in a moment or at `due_at`."""
    if not records:
        return
    await session.execute(
        text(
            """
            INSERT INTO parked
                (consumer, topic, partition, "offset", key, value, headers, reason, attempts, parked_at, due_at)
            SELECT :consumer, topic, partition, "offset", key, value, headers, reason, 1, :now, :due
            FROM unnest(
                CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]), CAST(:keys AS bytea[]),
                CAST(:values AS bytea[]), CAST(:headers AS bytea[]), CAST(:reasons AS text[])
            ) WITH ORDINALITY AS t (topic, partition, "offset", key, value, headers, reason, place)
            ORDER BY place
            """
        ),
        {
            "consumer": consumer,
            "now": now,
            "due": due_at or now + FIRST_WAIT,
            "topics": [record.topic for record, _ in records],
            "partitions": [record.partition for record, _ in records],
            "offsets": [record.offset for record, _ in records],
            "keys": [record.key for record, _ in records],
            "values": [record.value for record, _ in records],
            "headers": [pack_headers(record.headers) for record, _ in records],
            "reasons": [reason for _, reason in records],
        },
    )


async def put_first(session: AsyncSession, consumer: str, record: Record, reason: str, now: datetime) -> None:
    """Let an older record wait, due at once, with what waits of its key behind it."""
    behind: list[int] = []
    if record.key is not None:
        those = text("SELECT id FROM parked WHERE consumer = :consumer AND topic = :topic AND key = :key FOR UPDATE")
        named = {"consumer": consumer, "topic": record.topic, "key": record.key}
        behind = list(await session.scalars(those, named))
    await park(session, consumer, [(record, reason)], now, now)
    if behind:
        await session.execute(
            text(
                """
                WITH taken AS (DELETE FROM parked WHERE id = ANY(CAST(:behind AS bigint[])) RETURNING *)
                INSERT INTO parked
                    (consumer, topic, partition, "offset", key, value, headers, reason, attempts, parked_at, due_at)
                SELECT consumer, topic, partition, "offset", key, value, headers, reason, attempts, parked_at, due_at
                FROM taken ORDER BY id
                """
            ),
            {"behind": behind},
        )


async def consumers_with_due(session: AsyncSession, now: datetime) -> set[str]:
    """Tell whose events are due: one question for all consumers of a service, asked all the time."""
    rows = await session.scalars(text("SELECT DISTINCT consumer FROM parked WHERE due_at <= :now"), {"now": now})
    return set(rows)


async def next_due(session: AsyncSession, consumer: str, after: int, now: datetime) -> Parked | None:
    """Give the next event that is due and first of its key, with an id above `after`."""
    rows = await session.execute(
        text(
            """
            SELECT * FROM parked p
            WHERE consumer = :consumer AND id > :after AND due_at <= :now
              AND NOT EXISTS (SELECT 1 FROM parked q WHERE q.consumer = p.consumer AND q.topic = p.topic
                              AND q.key = p.key AND q.id < p.id)
            ORDER BY id LIMIT 1
            """
        ),
        {"consumer": consumer, "after": after, "now": now},
    )
    row = rows.one_or_none()
    return None if row is None else _parked(row)


async def release(session: AsyncSession, parked: Parked, consumer: str, now: datetime) -> bool:
    """Take an event out of the waiting place; what waited behind it is due at once.

    False where it is not there, or where another transaction has it just now.
    """
    there = await session.scalar(
        text(
            """
            DELETE FROM parked WHERE id = (SELECT id FROM parked WHERE id = :id FOR UPDATE SKIP LOCKED) RETURNING id
            """
        ),
        {"id": parked.id},
    )
    if there is None:
        return False
    if parked.record.key is not None:
        await session.execute(
            text("UPDATE parked SET due_at = :now WHERE consumer = :consumer AND topic = :topic AND key = :key"),
            {"now": now, "consumer": consumer, "topic": parked.record.topic, "key": parked.record.key},
        )
    return True


async def wait_longer(session: AsyncSession, parked: Parked, reason: str, now: datetime) -> bool:
    """Put an event off, twice as long as the last time, up to half a minute. False where others have tried it since."""
    wait = min(FIRST_WAIT * 2 ** min(parked.attempts, 10), LONGEST_WAIT)
    there = await session.scalar(
        text(
            """
            UPDATE parked SET due_at = :due, attempts = attempts + 1, reason = :reason
            WHERE id = :id AND attempts = :attempts RETURNING id
            """
        ),
        {"due": now + wait, "reason": reason, "id": parked.id, "attempts": parked.attempts},
    )
    return there is not None


def _parked(row: Row[tuple[object, ...]]) -> Parked:
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    key, value = columns["key"], columns["value"]
    return Parked(
        id=columns["id"],
        record=Record(
            topic=columns["topic"],
            partition=columns["partition"],
            offset=columns["offset"],
            key=None if key is None else bytes(key),
            value=None if value is None else bytes(value),
            headers=unpack_headers(bytes(columns["headers"])),
        ),
        attempts=columns["attempts"],
        parked_at=columns["parked_at"],
    )
