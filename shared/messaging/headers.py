"""The headers of every message, as JSON Schema: what `envelope.py` and `dead_letters.py` write and read, in words."""

from collections.abc import Sequence
from typing import Any

from shared.events.topics import SERVICES
from shared.messaging.dead_letters import KEY_HEADER
from shared.messaging.envelope import JSON, LONGEST_NAME, SEQUENCE_DIGITS, STRUCTURED
from shared.messaging.publishers import source_of

Json = dict[str, Any]
UUID_TEXT = {"type": "string", "format": "uuid"}
NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
TEXT = {"type": "string"}
COUNT = {"type": "string", "pattern": r"^[0-9]+$"}

_WORDS = {
    "ce_specversion": "The version of CloudEvents.",
    "ce_id": "The event's id: with `ce_source` its identity, by which what comes twice has its effect once.",
    "ce_type": "What happened.",
    "ce_source": "Who says it.",
    "ce_subject": "The id of what it happened to; the key of the record too.",
    "ce_time": "When it happened, with its offset from UTC.",
    "ce_dataschema": "The name of the schema of the data: `urn:convoca:<shape>:<version>`.",
    "ce_sequence": "The version of what it happened to, which rises by one with each event; it orders as text too.",
    "ce_causationid": "The id of the event that this one answers.",
    "ce_correlationid": "What all that follows from one beginning has in common.",
    "traceparent": "The trace that it belongs to (W3C Trace Context).",
    "content-type": "What the value is.",
}
_FACT: Json = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": UUID_TEXT,
    "ce_type": NAME,
    "ce_source": {"type": "string", "enum": [f"/convoca/{service}" for service in SERVICES]},
    "ce_subject": TEXT,
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_dataschema": {"type": "string", "pattern": r"^urn:convoca:[a-z_.]+:[0-9]+$"},
    "ce_sequence": {"type": "string", "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$"},
    "ce_causationid": TEXT,
    "ce_correlationid": TEXT,
    "traceparent": TEXT,
    "content-type": {"type": "string", "const": JSON},
}
_OUTSIDE: Json = {
    **_FACT,
    "ce_id": NAME,
    "ce_source": {**NAME, "pattern": f"^{source_of('')}[a-z0-9]+(-[a-z0-9]+)*$"},
    "ce_dataschema": TEXT,
    "ce_sequence": COUNT,
}
_NOT_ALWAYS = {"ce_sequence", "ce_causationid", "traceparent"}
_ALWAYS_FROM_OUTSIDE = ("ce_specversion", "ce_id", "ce_type", "ce_source")
_MARKS: Json = {
    "dl-reason": {"type": "string", "pattern": "^[a-z-]+$", "description": "Why it could not be taken; a stable slug."},
    "dl-detail": {**TEXT, "description": "The same as a sentence, which repeats nothing of the content."},
    "dl-topic": {**TEXT, "description": "The stream on which it came."},
    "dl-partition": {**COUNT, "description": "The partition on which it came."},
    "dl-offset": {**COUNT, "description": "Its place there."},
    "dl-attempts": {**COUNT, "description": "How often it was tried."},
    "dl-at": {"type": "string", "format": "date-time", "description": "When it was laid down."},
}


_KEY: Json = {KEY_HEADER: {**TEXT, "description": "The key as it came, where it is too long to be the record's own."}}


def of_facts() -> Json:
    """Describe the headers of what our services say."""
    return _described(_FACT, [name for name in _FACT if name not in _NOT_ALWAYS])


def of_outside_events() -> Json:
    """Describe the headers of what outside systems send in binary mode; what they add is passed over."""
    return _described(_OUTSIDE, _ALWAYS_FROM_OUTSIDE)


def of_structured_events() -> Json:
    """Describe the headers of what outside systems send in structured mode."""
    words = "Says that the value is the whole event."
    described = {"type": "string", "pattern": f"^{STRUCTURED.replace('+', '[+]')}", "description": words}
    return {"type": "object", "required": ["content-type"], "properties": {"content-type": described}}


def of_dead_letters() -> Json:
    """Describe what a dead letter's headers have beside those with which the record came."""
    words = "Beside these, all the headers with which the record came, as they were."
    return {"type": "object", "description": words, "required": list(_MARKS), "properties": {**_MARKS, **_KEY}}


def envelope(data: Json) -> Json:
    """Describe a whole event in structured mode, whose `data` is as described."""
    attributes = {
        name.removeprefix("ce_"): {**rules, "description": _WORDS[name]}
        for name, rules in _OUTSIDE.items()
        if name != "content-type"
    }
    required = [*(name.removeprefix("ce_") for name in _ALWAYS_FROM_OUTSIDE), "data"]
    return {"type": "object", "required": required, "properties": {**attributes, "data": data}}


def _described(rules: Json, required: Sequence[str]) -> Json:
    properties = {name: {**rules[name], "description": words} for name, words in _WORDS.items()}
    return {"type": "object", "required": list(required), "properties": properties}
