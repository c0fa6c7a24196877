"""Records looked into: each is an event that is taken here, or a fault, or nothing to us."""

import hashlib
from dataclasses import dataclass, replace

from pydantic import ValidationError

from shared.errors import wording
from shared.events.base import Event
from shared.messaging import inbox, parking, publishers
from shared.messaging.dead_letters import LONGEST_DETAIL, Fault
from shared.messaging.envelope import Envelope, Record, Unreadable, pack_headers, unseal
from shared.messaging.follow import Subscription
from shared.observability import EVENTS


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that was looked into: an event, or a fault."""

    record: Record
    identity: inbox.Identity
    envelope: Envelope | None = None
    event: Event | None = None
    publisher: str | None = None
    fault: Fault | None = None

    @property
    def key(self) -> parking.Key:
        """Give that by which events are held in order."""
        return self.record.topic, self.record.key


def look_into(record: Record, subscription: Subscription) -> Opened | None:
    """Look into a record; None for an event of our own that is nothing to us."""
    publisher = publishers.publisher_of(record.topic)
    try:
        envelope, data = unseal(record)
    except Unreadable as error:
        return Opened(record, position_of(record), fault=Fault("unreadable", _printable(str(error))))
    letter = Opened(record, inbox.Identity(envelope.source, envelope.id), envelope, publisher=publisher)
    if publisher is not None and envelope.source != publishers.source_of(publisher):
        # Its claimed identity is somebody else's, whose own event of that id is still to come.
        detail = f"the source is not {publishers.source_of(publisher)}, whose topic this is"
        return replace(letter, identity=position_of(record), fault=Fault("not-owner", detail))
    shape = subscription.events.get(envelope.type)
    if shape is None:
        if not subscription.inbound:
            EVENTS.labels(subscription.name, "passed-over").inc()
            return None
        return replace(letter, fault=Fault("unknown-type", "events of this type are not taken here"))
    try:
        return replace(letter, event=shape.model_validate_json(data))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        detail = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'data'}: {wording(each)}" for each in faults)
        return replace(letter, fault=Fault("invalid", _printable(detail)))


def position_of(record: Record) -> inbox.Identity:
    """Identify a record that has no identity of its own; a broker that starts anew counts its offsets anew."""
    content = hashlib.sha256(b"".join((record.key or b"", record.value or b"", pack_headers(record.headers))))
    return inbox.Identity(
        f"{inbox.PLACE}{record.topic}", f"{record.partition}:{record.offset}:{content.hexdigest()[:16]}"
    )


def _printable(detail: str) -> str:
    """Make a detail fit for people and databases: it may name a field, and its sender chose that name."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in detail)[:LONGEST_DETAIL]
