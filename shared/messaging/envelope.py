"""CloudEvents 1.0 over Kafka: binary mode out, binary and structured in (Kafka protocol binding 1.0.2)."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic_core import from_json, to_json
from uuid_utils import uuid7

from shared.events.base import Event
from shared.events.topics import Topic
from shared.observability.origin import Origin, valid_traceparent

Headers = tuple[tuple[str, bytes | None], ...]
SEQUENCE_DIGITS = 10
STRUCTURED = "application/cloudevents+json"
JSON = "application/json"
REQUIRED = ("id", "source", "type")
LONGEST_NAME = 500
"""Characters of an attribute that is kept; a database's index holds no more."""
LONGEST_KEY = 1000
"""Bytes of a record's key by which order is kept; a database's index holds not many more."""
LARGEST_SEQUENCE = 2**63 - 1
TRACE_HEADERS = ("traceparent", "ce_traceparent")
"""The transport's own, and that of CloudEvents' extension for distributed tracing."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # no part of an attribute (CloudEvents 1.0, type system)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339


class Unreadable(Exception):  # noqa: N818 - an adjective, as the policy reads it
    """A record is no CloudEvent that we can read; its text says why and repeats nothing of the content."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it came from the bus, byte for byte."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a CloudEvent says of itself. Its identity is `source` and `id` together."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    sequence: int | None = None
    causation_id: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that waits in the outbox, ready to be sent as it stands."""

    event_id: str
    topic: str
    key: bytes | None
    type: str
    headers: Headers
    value: bytes | None


def seal(
    event: Event,
    *,
    source: str,
    key: UUID | str,
    sequence: int | None,
    now: datetime,
    cause: Envelope | Origin | None = None,
    topic: Topic | None = None,
) -> Outgoing:
    """Make the message that carries `event`; `sequence` is the aggregate's version, which rises by one.

    `cause` is the event or else the request that it follows from.
    """
    event_id = str(uuid7())
    subject = str(key)
    caused_by = cause.id if isinstance(cause, Envelope) else None
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": event.type,
        "ce_source": source,
        "ce_subject": subject,
        "ce_time": now.isoformat(),
        "ce_dataschema": event.dataschema(),
        "ce_sequence": None if sequence is None else f"{sequence:0{SEQUENCE_DIGITS}d}",
        "ce_causationid": caused_by,
        "ce_correlationid": (cause and cause.correlation_id) or caused_by or event_id,
        "traceparent": cause and cause.traceparent,
        "content-type": JSON,
    }
    return Outgoing(
        event_id=event_id,
        topic=(topic or event.topic).name,
        key=subject.encode(),
        type=event.type,
        headers=tuple([(name, value.encode()) for name, value in attributes.items() if value]),
        value=event.__pydantic_serializer__.to_json(event),
    )


def unseal(record: Record) -> tuple[Envelope, bytes]:
    """Read a record's envelope and the JSON of its data; raises Unreadable."""
    if len(record.key or b"") > LONGEST_KEY:
        message = f"the key is longer than {LONGEST_KEY} bytes"
        raise Unreadable(message)
    headers = {name.lower(): value for name, value in record.headers if value is not None}
    content_type = media_type(headers.get("content-type", b""))
    if content_type == STRUCTURED:
        return _unseal_structured(record, headers)
    attributes: dict[str, str] = {}
    for name, value in headers.items():
        if name.startswith("ce_") and name not in TRACE_HEADERS:
            try:
                attributes[name.removeprefix("ce_")] = value.decode()
            except UnicodeDecodeError as error:
                message = f"the header {name} is not UTF-8"
                raise Unreadable(message) from error
    if content_type not in {"", JSON}:
        message = "the content type is not JSON"
        raise Unreadable(message)
    if record.value is None:
        message = "there is no data"
        raise Unreadable(message)
    return _envelope(attributes, _traceparent(headers)), record.value


def media_type(content_type: bytes) -> str:
    """Give what a content type names, without its parameters."""
    return content_type.decode("latin-1").partition(";")[0].strip().lower()


def _unseal_structured(record: Record, headers: Mapping[str, bytes]) -> tuple[Envelope, bytes]:
    try:
        body = from_json(record.value or b"", allow_inf_nan=False)
    except ValueError as error:
        message = "the structured CloudEvent is not JSON"
        raise Unreadable(message) from error
    if not isinstance(body, dict):
        message = "the structured CloudEvent is no JSON object"
        raise Unreadable(message)
    if media_type(str(body.get("datacontenttype") or JSON).encode()) != JSON:
        message = "the content type of the data is not JSON"
        raise Unreadable(message)
    if "data_base64" in body:
        try:
            data = base64.b64decode(str(body["data_base64"]), validate=True)
        except ValueError as error:
            message = "data_base64 is not base64"
            raise Unreadable(message) from error
    elif "data" in body:
        data = to_json(body["data"])
    else:
        message = "there is no data"
        raise Unreadable(message)
    attributes = {name: str(value) for name, value in body.items() if _is_attribute(name, value)}
    traceparent = attributes.pop("traceparent", None)
    return _envelope(attributes, valid_traceparent(traceparent) or _traceparent(headers)), data


def _is_attribute(name: str, value: object) -> bool:
    """Tell whether JSON gives an attribute as its type wants it: a number counts as its digits, but names nothing."""
    return isinstance(value, str) or (type(value) is int and name not in REQUIRED)


def _envelope(attributes: dict[str, str], traceparent: str | None) -> Envelope:
    if attributes.get("specversion") != "1.0":
        message = "specversion is not 1.0"
        raise Unreadable(message)
    for name in REQUIRED:
        if not attributes.get(name):
            message = f"{name} is missing"
            raise Unreadable(message)
    for name in (*REQUIRED, "subject", "causationid", "correlationid"):
        if len(attributes.get(name, "")) > LONGEST_NAME:
            message = f"{name} is longer than {LONGEST_NAME} characters"
            raise Unreadable(message)
    if _CONTROL.search("".join(attributes.values())):
        message = "an attribute holds a control character"
        raise Unreadable(message)
    return Envelope(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject"),
        time=_moment(attributes["time"]) if "time" in attributes else None,
        sequence=_number(attributes["sequence"]) if "sequence" in attributes else None,
        causation_id=attributes.get("causationid"),
        correlation_id=attributes.get("correlationid"),
        traceparent=traceparent,
    )


def _moment(written: str) -> datetime:
    try:
        if _MOMENT.fullmatch(written.upper()):
            return datetime.fromisoformat(written.upper())
    except ValueError:
        pass  # such as the thirtieth of February
    message = "time is no moment as RFC 3339 writes it"
    raise Unreadable(message)


def _number(written: str) -> int:
    if written.isascii() and written.isdigit() and len(written) <= LONGEST_NAME and int(written) <= LARGEST_SEQUENCE:
        return int(written)
    message = f"sequence is no number from 0 to {LARGEST_SEQUENCE}"
    raise Unreadable(message)


def _traceparent(headers: Mapping[str, bytes]) -> str | None:
    """Read the trace that a record is part of; what is none is as if it were not there, for it is not the event's."""
    for name in TRACE_HEADERS:
        if name in headers and (read := valid_traceparent(headers[name].decode("latin-1"))):
            return read
    return None


def pack_headers(headers: Headers) -> bytes:
    """Write headers for the database: JSON whose strings hold a byte a character, so that nothing is lost."""
    return to_json([(name, None if value is None else value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> Headers:
    """Read what `pack_headers` wrote."""
    pairs: Sequence[tuple[str, str | None]] = from_json(packed)
    return tuple([(name, None if value is None else value.encode("latin-1")) for name, value in pairs])
