"""Golden samples, as records: written once, to be understood for ever."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.v1.event import CloudEvent

from shared.events.base import Event
from shared.events.contract import Json, every_shape, sample_files
from shared.messaging.envelope import Record

STRUCTURED = b"application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that holds an event of a shape, whole."""

    shape: type[Event]
    path: Path

    @property
    def name(self) -> str:
        """Give what a test calls it."""
        return f"{self.shape.shape}-{self.shape.version}-{self.path.stem}"

    @property
    def written(self) -> Json:
        """Give what stands in the file."""
        document: Json = json.loads(self.path.read_bytes())
        return document

    @property
    def record(self) -> Record:
        """Give the record that carries the file as it is, in structured mode."""
        return record_of(KafkaMessage({"content-type": STRUCTURED}, None, self.path.read_bytes()))

    @property
    def event(self) -> CloudEvent:
        """Give what the CNCF's own library reads in the file."""
        return as_event(from_structured_event(KafkaMessage({}, None, self.path.read_bytes())))


SAMPLES = [Sample(shape, path) for shape in every_shape() for path in sample_files(shape)]


def record_of(message: KafkaMessage) -> Record:
    """Give a message as it would come from the bus."""
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return Record("registration.somewhere", 0, 0, key, message.value, tuple(message.headers.items()))


def as_event(read: Any) -> CloudEvent:  # noqa: ANN401 - the library promises only that it is some event
    """Make sure that it is a CloudEvent 1.0."""
    assert isinstance(read, CloudEvent)
    return read
