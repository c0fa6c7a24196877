"""An AsyncAPI document as a page shows it: streams in the order in which one asks for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.events.topics import INBOUND
from shared.web.documents.fields import Field, Json, Reader

STRUCTURED = ".structured"
MS_A_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Example:
    """What a message looks like."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What goes on a stream; `headers` names the kind of its headers, `whole` are examples in structured mode."""

    name: str
    type: str
    words: str
    schema: str
    headers: str
    fields: Sequence[Field]
    examples: Sequence[Example]
    whole: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic; `home` is the service on whose page it is described in full, `days` None where the newest stays."""

    name: str
    address: str
    words: str
    home: str
    partitions: int
    days: int | None
    group: str
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of headers."""

    name: str
    words: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Streams:
    """All that the page tells."""

    words: str
    said: Sequence[Stream]
    outside: Sequence[Stream]
    followed: Sequence[Stream]
    headers: Sequence[Kind]

    @classmethod
    def of(cls, document: Json) -> "Streams":
        """Read a document of ours."""
        reader = Reader(document)
        sent = [each for each in document["operations"].values() if each["action"] == "send"]
        received = [each for each in document["operations"].values() if each["action"] == "receive"]
        taken = [_stream(reader, each) for each in received]
        inbound = {topic.name for topic in INBOUND.values()}
        kinds = {name: each for name, each in document["components"]["schemas"].items() if name.startswith("headers.")}
        return cls(
            words=document["info"]["description"],
            said=[_stream(reader, each) for each in sent],
            outside=[each for each in taken if each.name in inbound],
            followed=[each for each in taken if each.name not in inbound],
            headers=[
                Kind(name, kind.get("description", ""), reader.fields(kind))
                for name, kind in kinds.items()
                if not name.endswith(STRUCTURED)
            ],
        )


def _stream(reader: Reader, operation: Json) -> Stream:
    name = operation["channel"]["$ref"].rpartition("/")[2]
    channel = reader.document["channels"][name]
    binding = channel["bindings"]["kafka"]
    kept = binding["topicConfiguration"].get("retention.ms")
    references = [each["$ref"].rpartition("/")[2] for each in operation["messages"]]
    return Stream(
        name=name,
        address=channel["address"],
        words=channel["description"],
        home=name.partition(".")[0],
        partitions=binding["partitions"],
        days=kept and kept // MS_A_DAY,
        group=operation.get("bindings", {}).get("kafka", {}).get("groupId", {}).get("const", ""),
        messages=[_message(reader, each) for each in references if not each.endswith(STRUCTURED)],
    )


def _message(reader: Reader, name: str) -> Message:
    messages = reader.document["components"]["messages"]
    message, structured = messages[name], messages.get(name + STRUCTURED, {"examples": ()})
    kind = message["headers"]["allOf"][0] if "allOf" in message["headers"] else message["headers"]
    return Message(
        name=name,
        type=message["name"],
        words=" ".join([message["summary"], message.get("description", "")]).strip(),
        schema=urlsplit(message.get("externalDocs", {}).get("url", "")).path,
        headers=kind["$ref"].rpartition("/")[2],
        fields=reader.fields(message["payload"]),
        examples=[Example(each["name"], _as_sent(each)) for each in message["examples"]],
        whole=[Example(each["name"], _json(each["payload"])) for each in structured["examples"]],
    )


def _as_sent(example: Json) -> str:
    """Write an example as one sees it on the wire: the headers, an empty line, the value."""
    headers = "\n".join(f"{name}: {value}" for name, value in example["headers"].items())
    payload = example["payload"]
    return f"{headers}\n\n{payload if isinstance(payload, str) else _json(payload)}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
