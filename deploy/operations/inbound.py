"""What outside systems wrote and no service has taken yet: it is in no database, and in no outbox.

A group's acknowledged places are read before the database's snapshot is taken, and the ends after it; so whatever the
snapshot lacks lies between the two, and what it has already is left out by its inbox.
"""

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pydantic import BaseModel

from deploy.kafka.services import FOLLOWERS
from deploy.operations.places import CLIENT, acknowledged
from shared.database import Database
from shared.messaging import header_names
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, pack_headers, unpack_headers
from shared.messaging.follow import Subscription
from shared.messaging.inbox import Identity
from shared.messaging.kafka import connection
from shared.messaging.opening import look_into
from shared.settings import KafkaSettings

MS_TO_POLL = 300
LOOKS_BEYOND_THE_END = 20
"""At the most. The embedded broker may tell of a batch's beginning as the end, so an empty answer is waited for."""

_TAKEN = """
    SELECT source, id FROM inbox
    WHERE consumer = $1 AND (source, id) IN (SELECT * FROM unnest($2::text[], $3::text[]))
"""


class Line(BaseModel):
    """A record as a line of JSON: bytes in base64, headers as the database keeps them."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    headers: str


def write(record: Record) -> bytes:
    """Write a record as a line."""
    line = Line(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=_text(record.key),
        value=_text(record.value),
        headers=base64.b64encode(pack_headers(record.headers)).decode(),
    )
    return line.model_dump_json().encode() + b"\n"


def read(line: bytes) -> Record:
    """Read what `write` wrote, byte for byte."""
    said = Line.model_validate_json(line)
    return Record(
        said.topic,
        said.partition,
        said.offset,
        _bytes(said.key),
        _bytes(said.value),
        unpack_headers(base64.b64decode(said.headers)),
    )


def subscription_of(service: str) -> Subscription | None:
    """Give that by which a service follows outside systems; None where it follows none."""
    return next((each for each in FOLLOWERS[service].subscriptions if each.inbound), None)


@asynccontextmanager
async def consumer_of(service: str, database_url: str) -> AsyncIterator[Consumer | None]:
    """Give the service's own policy for what comes from outside, on its database."""
    subscription = subscription_of(service)
    if subscription is None:
        yield None
        return
    database = Database(database_url, service)
    try:
        yield Consumer(subscription, database, lambda: datetime.now(UTC))
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class Places:
    """Up to where a service has acknowledged each partition that outside systems write; None: nothing yet."""

    subscription: Subscription
    acknowledged: Mapping[TopicPartition, int | None]


async def places(kafka: KafkaSettings, service: str) -> Places | None:
    """Ask the broker; None where the service follows no outside system."""
    subscription = subscription_of(service)
    if subscription is None:
        return None
    return Places(subscription, await acknowledged(kafka, subscription.group, subscription.follows))


async def from_there(kafka: KafkaSettings, places: Places) -> AsyncGenerator[list[Record], None]:
    """Give what lies behind the acknowledged places, in the order of each partition."""
    if not places.acknowledged:
        return
    header_names.read_any()
    consumer = AIOKafkaConsumer(
        **connection(kafka),
        client_id=CLIENT,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        partitions = list(places.acknowledged)
        consumer.assign(partitions)
        firsts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition, place in places.acknowledged.items():
            consumer.seek(partition, max(place or 0, firsts[partition]))
        beyond = 0
        while beyond < LOOKS_BEYOND_THE_END:
            batches = await consumer.getmany(timeout_ms=MS_TO_POLL)
            for batch in batches.values():
                yield [_record(each) for each in batch]
            if not [each for each in partitions if await consumer.position(each) < ends[each]]:
                beyond = beyond + 1 if batches else LOOKS_BEYOND_THE_END
    finally:
        await consumer.stop()


async def not_taken(
    database: "asyncpg.Connection[asyncpg.Record]", consumer: Consumer, records: Sequence[Record]
) -> list[Record]:
    """Leave out those that the service's inbox knows, as the connection's snapshot has it."""
    identities = [_identity(consumer, record) for record in records]
    rows = await database.fetch(
        _TAKEN, consumer.subscription.name, [each.source for each in identities], [each.id for each in identities]
    )
    taken = {(row["source"], row["id"]) for row in rows}
    return [record for record, each in zip(records, identities, strict=True) if tuple(each) not in taken]


def lines_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give the lines of what is read in pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _identity(consumer: Consumer, record: Record) -> Identity:
    letter = look_into(record, consumer.subscription)
    if letter is None:
        message = "on an inbound topic no event is passed over"
        raise ValueError(message)
    return letter.identity


def _record(message: ConsumerRecord) -> Record:
    return Record(message.topic, message.partition, message.offset, message.key, message.value, tuple(message.headers))


def _text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _bytes(content: str | None) -> bytes | None:
    return None if content is None else base64.b64decode(content)
