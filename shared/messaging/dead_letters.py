"""What could not be taken, kept byte for byte with the reason, and told of without its content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import uuid_utils.compat as uuids
from sqlalchemy import text

from shared.database import Transaction
from shared.events.incidents import RecordDeadLettered
from shared.events.topics import INCIDENTS, dead_letters
from shared.messaging import seen
from shared.messaging.envelope import LONGEST_KEY, Envelope, Outgoing, Record, pack_headers
from shared.messaging.inbox import Identity
from shared.observability import DEAD_LETTERS

LONGEST_DETAIL = 1000
LONGEST_CLAIM = 200
HEADER_PREFIX = "dl-"
KEY_HEADER = "dl-key"
"""Holds a key that is too long to be one in the outbox, whose index would refuse it and hold up all that is said."""

TYPE = "dead-letter"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record is a dead letter: a stable slug, and a sentence that repeats nothing of the content."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be taken: the identity under which the inbox has it, and why."""

    record: Record
    identity: Identity
    fault: Fault
    attempts: int
    envelope: Envelope | None = None


_KEEP = text(
    """
    INSERT INTO dead_letters
        (consumer, source, event_id, reason, detail, topic, partition, "offset", key, value, headers, attempts, at,
         state)
    SELECT :consumer, source, event_id, reason, detail, topic, partition, "offset", key, value, headers, attempts, :now,
           'open'
    FROM unnest(
        CAST(:sources AS text[]), CAST(:event_ids AS text[]), CAST(:reasons AS text[]), CAST(:details AS text[]),
        CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]), CAST(:keys AS bytea[]),
        CAST(:values AS bytea[]), CAST(:headers AS bytea[]), CAST(:attempts AS int[])
    ) WITH ORDINALITY AS t (source, event_id, reason, detail, topic, partition, "offset", key, value, headers, attempts,
                            place)
    ORDER BY place
    """
)


async def lay_down(tx: Transaction, consumer: str, letters: Sequence[Letter]) -> None:
    """Put what `consumer` could not take among the service's dead letters, and say so to staff, when `tx` commits.

    It is kept in the database, from where it can be tried again, and published for those who watch the stream.
    """
    if not letters:
        return
    records = [letter.record for letter in letters]
    await tx.session.execute(
        _KEEP,
        {
            "consumer": consumer,
            "now": tx.now,
            "sources": [letter.identity.source for letter in letters],
            "event_ids": [letter.identity.id for letter in letters],
            "reasons": [letter.fault.reason for letter in letters],
            "details": [letter.fault.detail[:LONGEST_DETAIL] for letter in letters],
            "topics": [record.topic for record in records],
            "partitions": [record.partition for record in records],
            "offsets": [record.offset for record in records],
            "keys": [record.key for record in records],
            "values": [record.value for record in records],
            "headers": [pack_headers(record.headers) for record in records],
            "attempts": [letter.attempts for letter in letters],
        },
    )
    for letter in letters:
        _publish(tx, letter)
        tx.after_commit(DEAD_LETTERS.labels(consumer, letter.fault.reason).inc)
        told = "dead-letter", consumer, letter.record, letter.envelope
        tx.after_commit(seen.telling(*told, reason=letter.fault.reason, attempts=letter.attempts))


def marks_of(letter: Letter, now: datetime) -> Mapping[str, str]:
    """Give the headers that a dead letter has beside the record's own."""
    record, fault = letter.record, letter.fault
    return {
        "dl-reason": fault.reason,
        "dl-detail": fault.detail[:LONGEST_DETAIL],
        "dl-topic": record.topic,
        "dl-partition": str(record.partition),
        "dl-offset": str(record.offset),
        "dl-attempts": str(letter.attempts),
        "dl-at": now.isoformat(),
    }


def _publish(tx: Transaction, letter: Letter) -> None:
    record, fault, envelope = letter.record, letter.fault, letter.envelope
    marks = marks_of(letter, tx.now)
    key, own = record.key, record.headers
    if key is not None and len(key) > LONGEST_KEY:
        key, own = None, (*own, (KEY_HEADER, key))
    tx.forward(
        Outgoing(
            event_id=str(uuids.uuid7()),
            topic=dead_letters(tx.service).name,
            key=key,
            type=TYPE,
            headers=(*own, *((name, value.encode()) for name, value in marks.items())),
            value=record.value,
        )
    )
    if record.topic in {topic.name for topic in INCIDENTS.values()}:
        return  # a fault in telling of faults is not told of, or it would never end
    tx.emit(
        RecordDeadLettered(
            service=tx.service,
            reason=fault.reason,
            from_topic=record.topic,
            source=envelope and envelope.source[:LONGEST_CLAIM],
            event_type=envelope and envelope.type[:LONGEST_CLAIM],
            event_id=envelope and envelope.id[:LONGEST_CLAIM],
        ),
        key=tx.service,
        sequence=None,
        topic=INCIDENTS[tx.service],
    )
