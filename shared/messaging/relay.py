"""Sends what the outbox holds: one leader per service, in order, everything at least once.

Leading means holding an advisory lock on the very connection that reads and marks, so that who loses the one
loses the other. Consumers' inboxes make what is sent twice harmless.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.messaging import seen
from shared.messaging.envelope import unpack_headers
from shared.messaging.kafka import connection
from shared.observability import LEADING, REFUSED, RELAY_ERRORS, SENT, where
from shared.settings import KafkaSettings

log = structlog.get_logger()
LOCK = 7_243_003
BATCH = 1000
SECONDS_BETWEEN_POLLS = 0.25
SECONDS_TO_SEND = 15
SECONDS_TO_STOP = 3
LONGEST_PAUSE = 5.0
LARGEST_REQUEST = 3_145_728
REFUSALS = (MessageSizeTooLargeError, RecordTooLargeError, TopicAuthorizationFailedError, InvalidTopicError)
Key = tuple[str, bytes | None]

_WAITING = f"""
    SELECT id, topic, key, headers, payload FROM outbox o
    WHERE published_at IS NULL AND refused IS NULL
      AND NOT EXISTS (SELECT 1 FROM outbox r
                      WHERE r.refused IS NOT NULL AND r.topic = o.topic AND r.key = o.key AND r.id < o.id)
    ORDER BY id LIMIT {BATCH}
"""  # noqa: S608 - a constant of ours
_FORGOTTEN = """
    UPDATE outbox SET published_at = NULL
    WHERE published_at IS NOT NULL AND topic NOT LIKE 'dead-letters.%'
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch: rows that arrived, rows refused for good with the reason, and whether any failed."""

    arrived: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)


class Relay:
    """The sender of one service's outbox. `run` goes on until it is cancelled; `wake` hastens it."""

    def __init__(self, database_url: str, kafka: KafkaSettings, service: str, *, replay_on_start: bool) -> None:
        self._database_url = database_url
        self._kafka = kafka
        self._service = service
        self._replay = replay_on_start
        self._woken = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
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
                    RELAY_ERRORS.inc()
                    log.warning("relay-begins-anew", error=type(error).__name__, at=where(error))
                else:
                    pause = 0.1
                await self._drop_producer()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await self._drop_producer()

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
            server_settings={"application_name": f"convoca-{self._service}-relay"},
        )
        try:
            while not await database.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                self.idle.set()  # another process sends; what is ours is in its hands
                await asyncio.sleep(1)
            LEADING.set(1)
            if self._replay:
                await database.execute(_FORGOTTEN, timeout=300)
                self._replay = False
            while True:
                await self._step(database)
        finally:
            LEADING.set(0)
            database.terminate() if database.is_closed() else await _close(database)

    async def _step(self, database: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._woken.clear()
        rows = await database.fetch(_WAITING)
        if not rows:
            self.idle.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), SECONDS_BETWEEN_POLLS)
            return
        self.idle.clear()
        began = time.time_ns()
        sent = await self._send(rows)
        seen.sent(rows, sent.arrived, began)
        if sent.refused:
            await database.executemany("UPDATE outbox SET refused = $2 WHERE id = $1", list(sent.refused.items()))
        if sent.arrived:
            await database.execute("UPDATE outbox SET published_at = now() WHERE id = ANY($1)", sent.arrived)
        if sent.failures:
            raise sent.failures[0]

    async def _send(self, rows: Sequence[asyncpg.Record]) -> Sent:
        producer = await self._connected()
        sent = Sent()
        held: set[Key] = set()  # an earlier message of these keys failed: a later one is not sent, or does not count
        on_the_way: list[tuple[asyncpg.Record, asyncio.Future[object]]] = []
        async with asyncio.timeout(SECONDS_TO_SEND):
            for row in rows:
                if _key(row) in held:
                    continue
                headers = list(unpack_headers(row["headers"]))
                try:
                    arrival = await producer.send(row["topic"], row["payload"], row["key"], headers=headers)
                except KafkaError as error:
                    held.add(_key(row))
                    _note_failure(sent, row, error)
                else:
                    on_the_way.append((row, arrival))
            await asyncio.gather(*(arrival for _, arrival in on_the_way), return_exceptions=True)
        held.clear()
        for row, arrival in on_the_way:
            if fault := arrival.exception():
                held.add(_key(row))
                _note_failure(sent, row, fault)
            elif _key(row) not in held:
                sent.arrived.append(row["id"])
                SENT.labels(row["topic"]).inc()
        return sent

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            # Not idempotent: such a producer never gives up a batch in an outage and can wedge for good.
            producer = AIOKafkaProducer(
                **connection(self._kafka),
                client_id=f"convoca-{self._service}",
                acks="all",
                max_request_size=LARGEST_REQUEST,
                max_batch_size=262_144,
                request_timeout_ms=10_000,
            )
            try:
                await asyncio.wait_for(producer.start(), SECONDS_TO_SEND)
            except BaseException:
                await _stop(producer)
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stop(producer)


def _key(row: asyncpg.Record) -> Key:
    return row["topic"], row["key"]


def _note_failure(sent: Sent, row: asyncpg.Record, error: BaseException) -> None:
    if isinstance(error, REFUSALS):
        sent.refused[row["id"]] = type(error).__name__
        REFUSED.labels(row["topic"]).inc()
        log.error("message-refused", topic=row["topic"], outbox_id=row["id"], error=type(error).__name__)
    else:
        sent.failures.append(error)


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), SECONDS_TO_STOP)


async def _close(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await database.close(timeout=2)
