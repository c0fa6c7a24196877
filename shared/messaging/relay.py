"""Sends what the outbox holds: one leader per service, in order, everything at least once.

Leading means holding an advisory lock on the very connection that reads and marks, so that who loses the one
loses the other. Consumers' inboxes make what is sent twice harmless.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Coroutine

import asyncpg
import structlog

from shared.messaging import seen
from shared.messaging.carrier import Carrier, Sent
from shared.messaging.replay import LOCK_OF_THE_RELAY, Replays
from shared.observability import LEADING, REFUSED, RELAY_ERRORS, SENT, where

log = structlog.get_logger()
BATCH = 1000
SECONDS_BETWEEN_POLLS = 0.25
SECONDS_TO_GATHER = 0.03
"""After a batch that was not full: what is committed meanwhile goes together, and is taken together by all."""
SECONDS_BETWEEN_LOOKS_FOR_A_TOPIC = 5.0
LONGEST_PAUSE = 5.0

_WAITING = f"""
    SELECT id, topic, key, headers, payload FROM outbox o
    WHERE published_at IS NULL AND refused IS NULL AND topic <> ALL($1)
      AND NOT EXISTS (SELECT 1 FROM outbox r
                      WHERE r.refused IS NOT NULL AND r.topic = o.topic AND r.key = o.key AND r.id < o.id)
    ORDER BY id LIMIT {BATCH}
"""  # noqa: S608 - a constant of ours
_SESSION = {
    # Seconds and times: so soon PostgreSQL takes the lock from a leader whose machine is gone, and another may lead.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Else it keeps the plan that it made while the outbox was empty, which reads the whole of it for each message.
    "plan_cache_mode": "force_custom_plan",
}


class NotSent(Exception):  # noqa: N818 - what happened, as its name says
    """The broker did not take what was to be sent."""


class LockLost(Exception):  # noqa: N818
    """The connection that held the lock ended while there was something to send."""


class Relay:
    """The sender of one service's outbox. `run` goes on until it is cancelled; `wake` hastens it."""

    def __init__(self, database_url: str, carrier: Carrier, service: str, replays: Replays) -> None:
        self._database_url = database_url
        self._service = service
        self._replays = replays
        self._woken = asyncio.Event()
        self._carrier = carrier
        self._absent: dict[str, float] = {}
        self.well = False
        """Whether this process leads, or is ready to; the broker is asked elsewhere."""
        self.idle = asyncio.Event()
        """Set while nothing waits that can be sent."""

    def wake(self) -> None:
        """Say that there is something to send."""
        self.idle.clear()
        self._woken.set()

    async def run(self) -> None:
        """Lead whenever nobody else does; begin anew after any failure, with a pause that grows to a few seconds."""
        pause = 0.1
        try:
            while True:
                try:
                    await self._campaign()
                except Exception as error:  # noqa: BLE001 - whatever it was, what is owed must still be sent
                    self.well = isinstance(error, NotSent)
                    RELAY_ERRORS.inc()
                    log.warning("relay-begins-anew", error=type(error.__cause__ or error).__name__, at=where(error))
                else:
                    pause = 0.1
                await self._carrier.drop()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await self._carrier.drop()

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is left to send, or `seconds` have passed; what is left stays in the outbox."""
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.idle.wait()

    async def _campaign(self) -> None:
        database = await asyncpg.connect(
            self._database_url,
            timeout=5,
            command_timeout=10,
            server_settings={"application_name": f"convoca-{self._service}-relay", **_SESSION},
        )
        ended = asyncio.Event()
        database.add_termination_listener(lambda _: ended.set())
        try:
            while not await database.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_OF_THE_RELAY):
                self.well = True
                self.idle.set()  # another process sends; what is ours is in its hands
                await asyncio.sleep(1)
            LEADING.set(1)
            self.well = True
            await _while_not(ended, self._lead(database))
        finally:
            LEADING.set(0)
            database.terminate() if database.is_closed() else await _close(database)

    async def _lead(self, database: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            await self._step(database)

    async def _step(self, database: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._woken.clear()
        await self._replays.begin(database)
        rows = await database.fetch(_WAITING, self._topics_to_leave())
        if not rows:
            self.idle.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), SECONDS_BETWEEN_POLLS)
            return
        self.idle.clear()
        began = time.time_ns()
        try:
            sent = await self._carrier.carry(rows)
        except Exception as error:
            raise NotSent from error
        seen.sent(rows, sent.arrived, began)
        await self._mark(database, rows, sent)
        if sent.failures:
            raise NotSent from sent.failures[0]
        if len(rows) < BATCH:
            await asyncio.sleep(SECONDS_TO_GATHER)

    async def _mark(
        self, database: "asyncpg.Connection[asyncpg.Record]", rows: list[asyncpg.Record], sent: Sent
    ) -> None:
        """Write down what became of messages; what is absent is looked for again in a while, without the others."""
        topics = {row["id"]: row["topic"] for row in rows}
        if sent.refused:
            await database.executemany("UPDATE outbox SET refused = $2 WHERE id = $1", list(sent.refused.items()))
        for number, error in sent.refused.items():
            REFUSED.labels(topics[number]).inc()
            log.error("message-refused", topic=topics[number], outbox_id=number, error=error)
        if sent.arrived:
            await database.execute("UPDATE outbox SET published_at = now() WHERE id = ANY($1)", sent.arrived)
        for topic, count in Counter(topics[number] for number in sent.arrived).items():
            SENT.labels(topic).inc(count)
        for topic in sent.absent:
            log.warning("topic-is-not-there", topic=topic)
            self._absent[topic] = time.monotonic() + SECONDS_BETWEEN_LOOKS_FOR_A_TOPIC

    def _topics_to_leave(self) -> list[str]:
        now = time.monotonic()
        self._absent = {topic: until for topic, until in self._absent.items() if until > now}
        return list(self._absent)


async def _while_not(ended: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Work until the connection ends: whoever has lost the lock must not go on sending. Raises LockLost."""
    working, ending = asyncio.ensure_future(work), asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise LockLost
        await working
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


async def _close(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await database.close(timeout=2)
