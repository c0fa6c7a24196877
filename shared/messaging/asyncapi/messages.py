"""The messages of an AsyncAPI document: each shape with its headers, its payload and what it looks like."""

import json
from collections.abc import Iterable, Iterator, Sequence

from shared.events.base import Event
from shared.events.contract import Json, sample_files, schema_within, shapes_on, streams_of
from shared.events.topics import OWN, Topic, dead_letters
from shared.messaging import headers
from shared.messaging.dead_letters import TYPE as DEAD_LETTER
from shared.messaging.envelope import STRUCTURED
from shared.messaging.follow import Subscription

BINDING = "0.5.0"
MESSAGES = "#/components/messages"
SCHEMAS = "#/components/schemas"
OF_FACTS, OF_OUTSIDE_EVENTS, OF_DEAD_LETTERS = "headers.fact", "headers.outside", "headers.dead-letter"
OF_STRUCTURED_EVENTS = "headers.structured"
CORRELATION = {"location": "$message.header#/ce_correlationid"}
LETTER_EXAMPLE: Json = {
    "name": "unreadable",
    "summary": "What no CloudEvent is.",
    "headers": {
        "content-type": "text/plain",
        "dl-reason": "unreadable",
        "dl-detail": "the content type is not JSON",
        "dl-topic": "inbound.catalogue.my-cms",
        "dl-partition": "3",
        "dl-offset": "1207",
        "dl-attempts": "1",
        "dl-at": "2027-02-03T09:12:44.120000+00:00",
    },
    "payload": "hello",
}


def message_name(shape: type[Event], *, structured: bool = False) -> str:
    """Give the name by which a document knows the message that carries a shape."""
    return f"{payload_name(shape)}{'.structured' if structured else ''}"


def payload_name(shape: type[Event]) -> str:
    """Give the name by which a document knows the schema of a shape."""
    return f"{shape.shape}.{shape.version}"


def is_of_dead_letters(topic: Topic) -> bool:
    """Tell whether what cannot be taken lies here."""
    return topic in map(dead_letters, OWN)


def names_on(topic: Topic) -> Iterator[str]:
    """Name all messages that go on a stream; outside systems may send each event in either mode."""
    yield from _names(shapes_on(topic), inbound=topic.inbound)
    if is_of_dead_letters(topic):
        yield DEAD_LETTER


def names_taken(subscription: Subscription) -> Iterator[str]:
    """Name the messages that a subscription takes of those on its streams."""
    return _names(subscription.events.values(), inbound=subscription.inbound)


def messages_on(topics: Iterable[Topic], service: str, site: str) -> Json:
    """Describe for `service` the messages that go on `topics`, by name; `site` is where all services are found."""
    messages: Json = {}
    for topic in topics:
        for shape in shapes_on(topic):
            schema = f"{site}/api/{home_of(shape, service)}/schemas/{shape.shape}/{shape.version}.json"
            messages[message_name(shape)] = _binary(shape, schema)
            if topic.inbound:
                messages[message_name(shape, structured=True)] = _structured(shape, schema)
        if is_of_dead_letters(topic):
            messages[DEAD_LETTER] = _dead_letter()
    return messages


def schemas_on(topics: Iterable[Topic]) -> Json:
    """Give what the messages on `topics` refer to: each kind of header, and each shape's schema as it is kept."""
    schemas = {OF_FACTS: headers.of_facts(), OF_DEAD_LETTERS: headers.of_dead_letters()}
    for topic in topics:
        if topic.inbound:
            schemas |= {OF_OUTSIDE_EVENTS: headers.of_outside_events()}
            schemas |= {OF_STRUCTURED_EVENTS: headers.of_structured_events()}
        for shape in shapes_on(topic):
            schemas[payload_name(shape)] = schema_within(shape, f"{SCHEMAS}/{payload_name(shape)}")
    return schemas


def _names(shapes: Iterable[type[Event]], *, inbound: bool) -> Iterator[str]:
    for shape in shapes:
        yield message_name(shape)
        if inbound:
            yield message_name(shape, structured=True)


def _binary(shape: type[Event], schema: str) -> Json:
    inbound = shape.topic.inbound
    own: Json = {"ce_type": {"const": shape.type}}
    if not inbound:
        own["ce_dataschema"] = {"const": shape.dataschema()}
    return {
        **_about(shape, schema),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": f"{SCHEMAS}/{OF_OUTSIDE_EVENTS if inbound else OF_FACTS}"},
                {"type": "object", "properties": own},
            ]
        },
        "payload": {"$ref": f"{SCHEMAS}/{payload_name(shape)}"},
        "correlationId": CORRELATION,
        "bindings": {"kafka": {"key": _key(shape.topic), "bindingVersion": BINDING}},
        "examples": [
            {"name": name, "headers": _as_headers(event), "payload": event["data"]} for name, event in _samples(shape)
        ],
    }


def _structured(shape: type[Event], schema: str) -> Json:
    envelope = headers.envelope({"$ref": f"{SCHEMAS}/{payload_name(shape)}"})
    envelope["properties"]["type"]["const"] = shape.type
    return {
        **_about(shape, schema),
        "title": f"{shape.shape}, whole in the value",
        "contentType": STRUCTURED,
        "headers": {"$ref": f"{SCHEMAS}/{OF_STRUCTURED_EVENTS}"},
        "payload": envelope,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "bindings": {"kafka": {"key": _key(shape.topic), "bindingVersion": BINDING}},
        "examples": [
            {"name": name, "headers": {"content-type": STRUCTURED}, "payload": event} for name, event in _samples(shape)
        ],
    }


def _dead_letter() -> Json:
    return {
        "name": DEAD_LETTER,
        "title": DEAD_LETTER,
        "summary": "A record that could not be taken, byte for byte, with the reason.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": f"{SCHEMAS}/{OF_DEAD_LETTERS}"},
        "payload": {"description": "The bytes as they came; there may be none."},
        "correlationId": CORRELATION,
        "bindings": {"kafka": {"key": {"description": "The key as it came."}, "bindingVersion": BINDING}},
        "examples": [LETTER_EXAMPLE],
    }


def _about(shape: type[Event], schema: str) -> Json:
    summary, _, rest = (shape.__doc__ or "").strip().partition("\n")
    return {
        "name": shape.type,
        "title": shape.shape,
        "summary": summary,
        **({"description": " ".join(rest.split())} if rest.strip() else {}),
        "externalDocs": {"description": "The data's JSON Schema", "url": schema},
    }


def home_of(shape: type[Event], service: str) -> str:
    """Tell which service serves a shape's schema: `service` where it says it, else who does, or who takes it."""
    said = [topic.name.split(".") for topic in streams_of(shape)]
    writers = [parts[1] if shape.topic.inbound else parts[0] for parts in said]
    return service if service in writers else writers[0]


def _key(topic: Topic) -> Json:
    if topic.inbound:
        return {"type": "string", "description": "The sender's choice: records of one key keep their order."}
    return {"type": "string", "description": f"The same as `ce_subject`, and as `{topic.key}` in the data."}


def _samples(shape: type[Event]) -> Sequence[tuple[str, Json]]:
    return [(path.stem, json.loads(path.read_bytes())) for path in sample_files(shape)]


def _as_headers(event: Json) -> Json:
    """Give the headers of a whole event in binary mode."""
    plain = {"datacontenttype": "content-type", "traceparent": "traceparent"}
    return {plain.get(name, f"ce_{name}"): value for name, value in event.items() if name != "data"}
