"""Deleting what nobody can need again: in small batches, by one process of a service at a time.

What is needed, and why, is in `keeping.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database
from shared.events.topics import dead_letters
from shared.messaging import keeping

log = structlog.get_logger()
LOCK = 7_243_004
"""The advisory lock of the process that prunes, held for one batch."""

BATCH = 1000
SECONDS_BEFORE_THE_FIRST = 60.0
SECONDS_BETWEEN_PASSES = 3600.0
SECONDS_BETWEEN_BATCHES = 0.02
"""So that a long pass leaves room for those who work."""

_SENT_DEAD_LETTERS = f"""
    DELETE FROM outbox WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM outbox WHERE topic = :dead_letters AND published_at IS NOT NULL LIMIT {BATCH}))
"""  # noqa: S608 - constants of ours, here and below
_BEFORE_A_TOMBSTONE = """
    SELECT o.ctid FROM outbox t JOIN outbox o ON o.topic = t.topic AND o.key = t.key AND o.id < t.id
    WHERE t.payload IS NULL AND t.topic NOT LIKE 'dead-letters.%' AND o.{} IS NOT NULL
"""
_ERASED = f"""
    DELETE FROM outbox WHERE ctid = ANY(ARRAY(
        {_BEFORE_A_TOMBSTONE.format("published_at")} UNION ALL {_BEFORE_A_TOMBSTONE.format("refused")} LIMIT {BATCH}))
"""  # noqa: S608 - in two parts, for each of which there is an index
_WINDOW = f"""
    SELECT max(id) AS last, min(created_at) AS oldest
    FROM (SELECT id, created_at FROM outbox WHERE id > :after ORDER BY id LIMIT {BATCH}) w
"""  # noqa: S608
_OUTBOX = f"""
    DELETE FROM outbox o
    WHERE o.id > :after AND o.id <= :last AND o.published_at IS NOT NULL AND NOT {keeping.is_kept(":oldest")}
"""  # noqa: S608
_INBOX = f"""
    DELETE FROM inbox WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM inbox
        WHERE at < :oldest
          AND (outcome IN ('done', 'stale') OR (outcome IN ('refused', 'dead-lettered') AND {keeping.IS_FROM_OUTSIDE}))
        LIMIT {BATCH}))
"""  # noqa: S608
_DEAD_LETTERS = f"""
    DELETE FROM dead_letters WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM dead_letters WHERE settled_at < :oldest LIMIT {BATCH}))
"""  # noqa: S608
_REPLAYS = "DELETE FROM replays WHERE begun_at < :oldest"


class _Elsewhere(Exception):  # noqa: N818 - no error: another process has the lock
    """Another process of the service prunes."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much a pass has deleted."""

    outbox: int
    inbox: int
    dead_letters: int


class Pruning:
    """Prunes one service's tables. `run` goes on until it is cancelled; `prune` is one pass."""

    def __init__(self, database: Database, clock: Callable[[], datetime], replay_horizon: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._horizon = replay_horizon

    async def run(self) -> None:
        """Prune a while after the start, and then from time to time."""
        await asyncio.sleep(SECONDS_BEFORE_THE_FIRST)
        while True:
            pruned = await self.prune()
            log.info("pruned", outbox=pruned.outbox, inbox=pruned.inbox, dead_letters=pruned.dead_letters)
            await asyncio.sleep(SECONDS_BETWEEN_PASSES)

    async def prune(self) -> Pruned:
        """Delete what is needed no more, until nothing is left to delete or another process of the service does it."""
        now = self._clock()
        settled = {"oldest": now - keeping.SETTLED}
        known = {"oldest": now - keeping.inbox_horizon(self._horizon)}
        outbox = inbox = letters = 0
        try:
            outbox += await self._all(_SENT_DEAD_LETTERS, {"dead_letters": dead_letters(self._database.service).name})
            outbox += await self._all(_ERASED, {})
            outbox += await self._past_the_horizon(now - self._horizon)
            inbox += await self._all(_INBOX, known)
            letters += await self._all(_DEAD_LETTERS, settled)
            await self._all(_REPLAYS, settled)
        except _Elsewhere:
            pass
        return Pruned(outbox, inbox, letters)

    async def _all(self, statement: str, values: dict[str, Any]) -> int:
        total = 0
        while True:
            async with self._batch() as session:
                deleted = await _delete(session, statement, values)
            total += deleted
            if deleted < BATCH:
                return total
            await asyncio.sleep(SECONDS_BETWEEN_BATCHES)

    async def _past_the_horizon(self, oldest: datetime) -> int:
        """Walk through the outbox from its beginning, until a stretch of it is young throughout."""
        after, total = 0, 0
        while True:
            async with self._batch() as session:
                window = (await session.execute(text(_WINDOW), {"after": after})).one()
                if window.last is None or window.oldest >= oldest:
                    return total
                stretch = {"after": after, "last": window.last, "oldest": oldest}
                total += await _delete(session, _OUTBOX, stretch)
            after = window.last
            await asyncio.sleep(SECONDS_BETWEEN_BATCHES)

    @asynccontextmanager
    async def _batch(self) -> AsyncIterator[AsyncSession]:
        """Work in a transaction that alone prunes; raises _Elsewhere where another process does."""
        async with self._database.transaction(self._clock()) as tx:
            if not await tx.session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
                raise _Elsewhere
            yield tx.session


async def _delete(session: AsyncSession, statement: str, values: dict[str, Any]) -> int:
    gone = f"WITH gone AS ({statement} RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608 - a constant of ours
    return int(await session.scalar(text(gone), values))
