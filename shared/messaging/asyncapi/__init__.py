"""What a service says and hears on the bus, as an AsyncAPI 3.0 document, made of what the code itself runs on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared import VERSION
from shared.events.contract import Json
from shared.events.topics import OWN, Topic
from shared.messaging.asyncapi.messages import (
    BINDING,
    MESSAGES,
    is_of_dead_letters,
    messages_on,
    names_on,
    names_taken,
    schemas_on,
)
from shared.messaging.follow import Subscription
from shared.messaging.kafka import MECHANISM
from shared.messaging.topics import MS_A_DAY

BROKER = "kafka"
SCRAM = "scram"


@dataclass(frozen=True, slots=True)
class Described:
    """A service as it is to be described: by what it follows, where its API answers, and how its broker is spoken to.

    `site` is where all services are found, such as `https://example.org`.
    """

    service: str
    subscriptions: Sequence[Subscription]
    site: str
    security: str = "plaintext"

    @property
    def topics(self) -> Sequence[Topic]:
        """Give each stream that the service writes or follows, once."""
        followed = (topic for each in self.subscriptions for topic in each.topics)
        return list({topic.name: topic for topic in (*OWN[self.service], *followed)}.values())


def document(described: Described) -> Json:
    """Make the AsyncAPI document of a service: every stream it writes or follows, with all that goes on it."""
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:convoca:{described.service}",
        "info": _info(described),
        "defaultContentType": "application/json",
        "servers": {BROKER: _server(described)},
        "channels": {topic.name: _channel(topic) for topic in described.topics},
        "operations": {**_sends(described), **_receives(described)},
        "components": _components(described),
    }


def _info(described: Described) -> Json:
    return {
        "title": f"Convoca: {described.service}",
        "version": VERSION,
        "description": (
            "Events are CloudEvents 1.0 in Kafka's binary mode: the value is the data in JSON, the rest stands in the "
            "headers. Each is a fact in the past tense and carries the whole public state of what it tells of, so that "
            "who has missed one is healed by the next. They come at least once, and in order for each key: take "
            "`ce_source` and `ce_id` for the identity, and pass over a `ce_sequence` that is not newer. A schema only "
            "ever gains fields that may be absent; anything else is a new version beside the old."
        ),
        "license": {"name": "EUPL-1.2", "url": "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12"},
        "externalDocs": {
            "description": "The same service over HTTP",
            "url": f"{described.site}/api/{described.service}/docs",
        },
    }


def _server(described: Described) -> Json:
    encrypted = described.security in {"ssl", "sasl_ssl"}
    server: Json = {
        "host": "{broker}",
        "protocol": "kafka-secure" if encrypted else "kafka",
        "description": "The broker, which each outside system is told of when it is let in.",
        "variables": {
            "broker": {
                "description": "Host and port: `kafka.servers` in what `convoca publisher add --json` or "
                "`convoca reader add --json` prints.",
                "default": "localhost:9092",
            }
        },
    }
    if described.security.startswith("sasl"):
        server["security"] = [{"$ref": f"#/components/securitySchemes/{SCRAM}"}]
    return server


def _channel(topic: Topic) -> Json:
    configuration: Json = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
        "max.message.bytes": topic.max_record_bytes,
    }
    if topic.retention_days is not None:
        configuration["retention.ms"] = topic.retention_days * MS_A_DAY
    channel: Json = {
        "address": f"{topic.name}.{{publisher}}" if topic.inbound else topic.name,
        "description": _what_is_on(topic),
        "servers": [{"$ref": f"#/servers/{BROKER}"}],
        "messages": {name: {"$ref": f"{MESSAGES}/{name}"} for name in names_on(topic)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": BINDING,
            }
        },
    }
    if topic.inbound:
        words = "The outside system's name, as `convoca publisher add` was given it; nobody else writes there."
        channel["parameters"] = {"publisher": {"description": words, "examples": ["my-cms"]}}
    return channel


def _what_is_on(topic: Topic) -> str:
    if topic.inbound:
        return (
            "What one outside system tells, on a stream of its own. What cannot be taken is laid among the dead "
            f"letters. The same events are taken over HTTP, by `POST /api/{topic.name.rpartition('.')[2]}/events`."
        )
    if is_of_dead_letters(topic):
        return "What this service could not take, byte for byte as it came; for the service and its staff only."
    kept = (
        "The newest record of each key is kept for ever."
        if topic.compacted
        else f"A record is kept for {topic.retention_days} days."
    )
    return f"Keyed by `{topic.key}`. {kept}"


def _sends(described: Described) -> Json:
    return {
        f"send.{topic.name}": _operation("send", topic, names_on(topic), f"Says what goes on {topic.name}.")
        for topic in OWN[described.service]
    }


def _receives(described: Described) -> Json:
    operations: Json = {}
    for each in described.subscriptions:
        for topic in each.topics:
            name = f"receive.{each.name}" + (f".{topic.name}" if len(each.topics) > 1 else "")
            operations[name] = _operation("receive", topic, names_taken(each), f"Follows {topic.name}.")
            group = {"type": "string", "const": each.group}
            operations[name]["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return operations


def _operation(action: str, topic: Topic, names: Iterable[str], summary: str) -> Json:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _components(described: Described) -> Json:
    components: Json = {
        "messages": messages_on(described.topics, described.service, described.site),
        "schemas": schemas_on(described.topics),
    }
    if described.security.startswith("sasl"):
        kind = MECHANISM.replace("SCRAM-SHA-", "scramSha")
        components["securitySchemes"] = {
            SCRAM: {"type": kind, "description": "Each system has credentials of its own."}
        }
    return components
