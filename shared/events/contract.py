"""The whole contract as data: each shape's JSON Schema (2020-12) and examples, as they lie beside this module."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from shared.events import catalogue, incidents, notifications, registration
from shared.events.base import SHAPES, Event
from shared.events.topics import INCIDENTS, Topic

MODULES = (catalogue, incidents, notifications, registration)
"""Imported so that `SHAPES` is complete."""
HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
SAMPLES = HERE / "samples"
Json = dict[str, Any]
"""A JSON object, on its way to a file or an answer."""


def every_shape() -> Sequence[type[Event]]:
    """Give all shapes, by name and version."""
    return [shape for _, shape in sorted(SHAPES.items())]


def shape_called(name: str, version: int) -> type[Event] | None:
    """Find a shape by its name; a bare type that is no fact of ours means what outside systems send."""
    return SHAPES.get((name, version)) or SHAPES.get((f"inbound.{name}", version))


def streams_of(shape: type[Event]) -> Sequence[Topic]:
    """Tell on which streams a shape goes: one, save word of dead letters, for which each service has its own."""
    return tuple(INCIDENTS.values()) if shape.topic in INCIDENTS.values() else (shape.topic,)


def shapes_on(topic: Topic) -> Sequence[type[Event]]:
    """Give what goes on a stream."""
    return [shape for shape in every_shape() if topic in streams_of(shape)]


def mode_of(shape: type[Event]) -> JsonSchemaMode:
    """Tell whose side a schema takes: the reader's of what comes from outside, the writer's of our facts."""
    return "validation" if shape.topic.inbound else "serialization"


class _Plain(GenerateJsonSchema):
    """Leaves out titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - as pydantic has it
        """Say no."""
        return False


def schema_of(shape: type[Event]) -> Json:
    """Make a shape's JSON Schema of its model; `$id` is what `ce_dataschema` carries."""
    made = shape.model_json_schema(mode=mode_of(shape), schema_generator=_Plain)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": shape.dataschema(), **made}


def schema_file(shape: type[Event], folder: Path = SCHEMAS) -> Path:
    """Tell where a shape's schema lies; what lies there is what is served."""
    return folder / shape.shape / f"{shape.version}.json"


def schema_within(shape: type[Event], place: str) -> Json:
    """Give the schema that is kept, as it stands at `place` (a JSON pointer) in a larger document.

    What it refers to is found there; its name and dialect are the document's affair.
    """
    kept = json.loads(schema_file(shape).read_bytes())
    moved: Json = _moved({name: part for name, part in kept.items() if name not in {"$id", "$schema"}}, place)
    return moved


def _moved(part: Any, place: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(part, list):
        return [_moved(each, place) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: f"{place}{value.removeprefix('#')}" if name == "$ref" else _moved(value, place)
        for name, value in part.items()
    }


def sample_files(shape: type[Event]) -> Sequence[Path]:
    """Tell where a shape's samples lie: whole CloudEvents in JSON (structured mode), never changed once released."""
    return sorted((SAMPLES / shape.shape / str(shape.version)).glob("*.json"))


def written(document: Json) -> str:
    """Write a document as its file has it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
