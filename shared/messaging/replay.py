"""Sending again what was sent before: asked for by a row, laid before the relay by whoever leads it.

A replay takes rows back to where they wait, in one statement; from there they go the way of every message, in the
order in which they were said, and a crash only delays them. The leader does it between two batches, while nothing is
on its way: else an older message of a key, just taken back, could come to stand on its stream behind the newest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg
import structlog

from shared.messaging import keeping

log = structlog.get_logger()
LOCK_OF_THE_RELAY = 7_243_003
"""The advisory lock of who leads; it is held on the connection that sends."""

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_TAKE_BACK = 300
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_CHOSEN = f"""
    o.published_at IS NOT NULL AND {keeping.is_kept("$1")}
    AND ($2::text IS NULL OR o.topic = $2)
    AND ($3::timestamptz IS NULL OR o.id >= (SELECT min(id) FROM outbox WHERE created_at >= $3))
"""  # noqa: S608 - constants of ours
_TAKE_BACK = f"""
    WITH back AS (UPDATE outbox o SET published_at = NULL WHERE {_CHOSEN} RETURNING 1) SELECT count(*) FROM back
"""  # noqa: S608
_COUNT = f"SELECT count(*) FROM outbox o WHERE {_CHOSEN}"  # noqa: S608
_UNSENT = """
    SELECT count(*) FILTER (WHERE NOT stuck) AS waiting, count(*) FILTER (WHERE stuck) AS stuck
    FROM (
        SELECT o.refused IS NOT NULL OR EXISTS (
            SELECT 1 FROM outbox r
            WHERE r.refused IS NOT NULL AND r.topic = o.topic AND r.key = o.key AND r.id < o.id) AS stuck
        FROM outbox o WHERE o.published_at IS NULL AND o.id <= $1) u
"""
_LEADS = """
    SELECT EXISTS (SELECT 1 FROM pg_locks
                   WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = $1 AND objsubid = 1
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is sent again: of one topic or of all, from the first that was said at `since` on or all that is kept."""

    topic: str | None = None
    since: datetime | None = None


EVERYTHING = Scope()


class Replays:
    """What the leader of a relay does about replays: it takes back what is to be sent again.

    `horizon` is how far a replay reaches; with `at_start` all is sent again once, as for a broker that forgets.
    """

    def __init__(self, horizon: timedelta, clock: Callable[[], datetime], *, at_start: bool) -> None:
        self._horizon = horizon
        self._clock = clock
        self._at_start = at_start
        self._next_look = 0.0

    async def begin(self, database: Connection) -> None:
        """Begin what was asked for; called by the leader on its own connection, while nothing is on its way."""
        if self._at_start:
            await take_back(database, EVERYTHING, self._oldest())
            self._at_start = False
        if (now := time.monotonic()) >= self._next_look:
            self._next_look = now + SECONDS_BETWEEN_LOOKS
            await self._begin_asked(database)

    async def _begin_asked(self, database: Connection) -> None:
        asked = await database.fetch("SELECT id, topic, since FROM replays WHERE begun_at IS NULL ORDER BY id")
        for row in asked:
            async with database.transaction():
                messages = await take_back(database, Scope(row["topic"], row["since"]), self._oldest())
                await database.execute(
                    "UPDATE replays SET begun_at = $2, messages = $3 WHERE id = $1", row["id"], self._clock(), messages
                )
            log.info("replay-begun", replay=row["id"], topic=row["topic"], messages=messages)

    def _oldest(self) -> datetime:
        return self._clock() - self._horizon


async def take_back(database: Connection, scope: Scope, oldest: datetime) -> int:
    """Let sent messages wait to be sent again; answers how many. What is older than `oldest` only where it is newest.

    From the first message of the scope all later ones go with it, so that each key ends with its newest.
    """
    return int(await database.fetchval(_TAKE_BACK, oldest, scope.topic, scope.since, timeout=SECONDS_TO_TAKE_BACK))


async def count(database: Connection, scope: Scope, oldest: datetime) -> int:
    """Tell how many messages a replay would send."""
    return int(await database.fetchval(_COUNT, oldest, scope.topic, scope.since, timeout=SECONDS_TO_TAKE_BACK))


async def ask(database: Connection, scope: Scope, now: datetime) -> int:
    """Ask the service, whichever process of it leads, for a replay; answers its number."""
    return int(
        await database.fetchval(
            "INSERT INTO replays (topic, since, asked_at) VALUES ($1, $2, $3) RETURNING id",
            scope.topic,
            scope.since,
            now,
        )
    )


async def withdraw(database: Connection, number: int) -> bool:
    """Ask for a replay no longer; false where it has begun."""
    taken = await database.fetchval("DELETE FROM replays WHERE id = $1 AND begun_at IS NULL RETURNING id", number)
    return taken is not None


async def begun(database: Connection, number: int) -> int | None:
    """Tell how many messages a replay that was asked for sends; None while it has not begun."""
    messages = await database.fetchval("SELECT messages FROM replays WHERE id = $1", number)
    return None if messages is None else int(messages)


@dataclass(frozen=True, slots=True)
class Unsent:
    """How many messages wait, and how many cannot be sent: refused by the broker, or behind such a one."""

    waiting: int
    stuck: int


async def unsent(database: Connection, last: int) -> Unsent:
    """Count what is not sent of the messages up to the number `last`."""
    row = await database.fetchrow(_UNSENT, last)
    return Unsent(row["waiting"], row["stuck"]) if row else Unsent(0, 0)


async def last_message(database: Connection) -> int:
    """Give the number of the newest message there is."""
    return int(await database.fetchval("SELECT coalesce(max(id), 0) FROM outbox"))


async def somebody_sends(database: Connection) -> bool:
    """Tell whether any process of the service leads its relay."""
    return bool(await database.fetchval(_LEADS, LOCK_OF_THE_RELAY))
