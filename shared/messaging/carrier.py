"""Carries messages to the broker: a batch at a time on each partition, so that nothing overtakes what has failed."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import DefaultPartitioner

from shared.messaging.envelope import unpack_headers
from shared.messaging.kafka import connection
from shared.settings import KafkaSettings

SECONDS_TO_SEND = 15
SECONDS_TO_STOP = 3
SECONDS_TO_FIND_A_TOPIC = 3
LARGEST_REQUEST = 3_145_728
FULL_BATCH = 262_144
"""Bytes. Below what a broker takes in one piece, so that of a batch that is too large there is only one message."""

REFUSALS = (MessageSizeTooLargeError, RecordTooLargeError, TopicAuthorizationFailedError, InvalidTopicError)
TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
Row = asyncpg.Record
"""A row of the outbox: `id`, `topic`, `key`, `headers` (packed), `payload`."""

_partition_of = DefaultPartitioner()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of rows: those that arrived, those refused for good with the reason, and all other failures.

    `absent` are topics that the broker does not have. A row of which nothing is said is still to be sent.
    """

    arrived: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    failures: list[BaseException] = field(default_factory=list)


class Carrier:
    """A producer that is made when there is something to carry, and made anew after it was dropped."""

    def __init__(self, kafka: KafkaSettings, service: str, *, seconds: float = SECONDS_TO_SEND) -> None:
        self._kafka = kafka
        self._seconds = seconds
        self._service = service
        self._producer: AIOKafkaProducer | None = None

    async def carry(self, rows: Sequence[Row]) -> Sent:
        """Send rows in their order, those of each partition by themselves, within a limit of time.

        On a partition the next batch sets out when the one before has arrived. So a message is never on the stream
        before an earlier one of its key, whatever fails: it is in the same batch, or was not sent yet.
        """
        sent = Sent()
        producer = await self.connected()
        lanes = await _lanes(producer, rows, sent)
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.gather(*(lane.clear(producer, sent) for lane in lanes))
        except TimeoutError as error:
            sent.failures.append(error)
        return sent

    async def drop(self) -> None:
        """Give up the producer with all that it holds."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stop(producer)

    async def connected(self) -> AIOKafkaProducer:
        """Give the producer; raises what keeps it from connecting within the limit of time."""
        if self._producer is None:
            # Not idempotent: such a producer never gives up a batch in an outage and can wedge for good.
            producer = AIOKafkaProducer(
                **connection(self._kafka),
                client_id=f"convoca-{self._service}",
                acks="all",
                max_request_size=LARGEST_REQUEST,
                max_batch_size=FULL_BATCH,
                request_timeout_ms=10_000,
            )
            try:
                await asyncio.wait_for(producer.start(), self._seconds)
            except BaseException:
                await _stop(producer)
                raise
            self._producer = producer
        return self._producer


@dataclass(slots=True)
class _Lane:
    """What goes to one partition; `held` are keys of which a message was refused, and later ones must wait."""

    topic: str
    partition: int
    rows: list[Row] = field(default_factory=list)
    held: set[bytes | None] = field(default_factory=set)

    async def clear(self, producer: AIOKafkaProducer, sent: Sent) -> None:
        """Send all rows that may go; ends at the first failure that is no refusal."""
        try:
            while self.rows:
                count = await self._send_batch(producer, self.rows, sent)
                self.rows = [row for row in self.rows[count:] if row["key"] not in self.held]
        except Exception as error:  # noqa: BLE001 - whatever it was, the other partitions go on
            sent.failures.append(error)

    async def _send_batch(self, producer: AIOKafkaProducer, rows: Sequence[Row], sent: Sent) -> int:
        """Send as many of the first of `rows` as go into a batch; answers how many they were."""
        batch, count = producer.create_batch(), 0
        for row in rows:
            headers = list(unpack_headers(row["headers"]))
            if batch.append(timestamp=None, key=row["key"], value=row["payload"], headers=headers) is None:
                break
            count += 1
        try:
            if batch.size() > LARGEST_REQUEST:
                raise MessageSizeTooLargeError
            await (await producer.send_batch(batch, self.topic, partition=self.partition))
        except REFUSALS as error:
            if count > 1:
                await self._send_each_alone(producer, rows[:count], sent)
            else:
                sent.refused[rows[0]["id"]] = type(error).__name__
                self.held |= {rows[0]["key"]} - {None}
        else:
            sent.arrived.extend(row["id"] for row in rows[:count])
        return count

    async def _send_each_alone(self, producer: AIOKafkaProducer, rows: Sequence[Row], sent: Sent) -> None:
        """Find out which messages of a batch the broker meant when it refused them together."""
        for row in rows:
            if row["key"] not in self.held:
                await self._send_batch(producer, [row], sent)


async def _lanes(producer: AIOKafkaProducer, rows: Sequence[Row], sent: Sent) -> list[_Lane]:
    """Part rows by the partition that they go to; those of a topic that is not to be had are left out."""
    topics = list({row["topic"] for row in rows})
    found = dict(zip(topics, await asyncio.gather(*(_partitions(producer, each) for each in topics)), strict=True))
    lanes: dict[tuple[str, int], _Lane] = {}
    for row in rows:
        topic, partitions = row["topic"], found[row["topic"]]
        if isinstance(partitions, REFUSALS):
            sent.refused[row["id"]] = type(partitions).__name__
        elif isinstance(partitions, UnknownTopicOrPartitionError):
            sent.absent.add(topic)
        elif isinstance(partitions, Exception):
            sent.failures.append(partitions)
        else:
            partition = _partition_of(row["key"], partitions, partitions)
            lanes.setdefault((topic, partition), _Lane(topic, partition)).rows.append(row)
    return list(lanes.values())


async def _partitions(producer: AIOKafkaProducer, topic: str) -> list[int] | Exception:
    found: list[int] | Exception
    try:
        if TOPIC_NAME.fullmatch(topic):
            found = sorted(await asyncio.wait_for(producer.partitions_for(topic), SECONDS_TO_FIND_A_TOPIC))
        else:
            found = InvalidTopicError(topic)
    except TimeoutError:
        # The broker was asked again and again; where it does not answer at all, the other topics tell.
        found = UnknownTopicOrPartitionError(topic)
    except Exception as error:  # noqa: BLE001 - it is told of with those rows, and the other topics go on
        found = error
    return found


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), SECONDS_TO_STOP)
