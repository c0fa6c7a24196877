"""What any service says of its own trouble, so that staff hear of it; never what the record held."""

from shared.events.base import Event
from shared.events.topics import INCIDENTS


class RecordDeadLettered(Event, type="record.dead_lettered"):
    """A record could not be taken and lies among the dead letters; `reason` is its slug, `source` who sent it.

    Each service says this on a stream of its own; `topic` here only stands for `<service>.incidents`.
    """

    topic = INCIDENTS["catalogue"]

    service: str
    reason: str
    from_topic: str
    source: str | None = None
    event_type: str | None = None
    event_id: str | None = None
