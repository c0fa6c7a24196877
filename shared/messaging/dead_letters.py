"""What could not be taken, kept byte for byte with the reason, and told of without its content."""

from dataclasses import dataclass

import uuid_utils.compat as uuids

from shared.database import Transaction
from shared.events.incidents import RecordDeadLettered
from shared.events.topics import INCIDENTS, dead_letters
from shared.messaging.envelope import Envelope, Outgoing, Record

LONGEST_DETAIL = 1000
LONGEST_CLAIM = 200
HEADER_PREFIX = "dl-"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record is a dead letter: a stable slug, and a sentence that repeats nothing of the content."""

    reason: str
    detail: str


def lay_down(tx: Transaction, record: Record, fault: Fault, *, attempts: int, envelope: Envelope | None = None) -> None:
    """Put `record` among the service's dead letters, when `tx` commits, and say so to staff."""
    marks = {
        "dl-reason": fault.reason,
        "dl-detail": fault.detail[:LONGEST_DETAIL],
        "dl-topic": record.topic,
        "dl-partition": str(record.partition),
        "dl-offset": str(record.offset),
        "dl-attempts": str(attempts),
        "dl-at": tx.now.isoformat(),
    }
    tx.forward(
        Outgoing(
            event_id=str(uuids.uuid7()),
            topic=dead_letters(tx.service).name,
            key=record.key,
            type="dead-letter",
            headers=(*record.headers, *((name, value.encode()) for name, value in marks.items())),
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
