"""An OpenAPI document as a page shows it: endpoints by their subject, and the shapes that they speak in."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.web.documents.fields import Field, Json, Reader
from shared.web.openapi import operations_of, slugs_of


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent or answered: in which media type, of which kind; `shapes` are described on their own."""

    media: str
    kind: str
    shapes: Sequence[str]
    example: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back by a status; `slugs` end a problem's type."""

    status: str
    words: str
    bodies: Sequence[Body]
    slugs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What goes in the path, the query or a header."""

    place: str
    field: Field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path and a method; `schemes` are the ways to say who one is, "" among them for nobody."""

    id: str
    method: str
    path: str
    words: str
    schemes: Sequence[str]
    parameters: Sequence[Parameter]
    bodies: Sequence[Body]
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Subject:
    """Endpoints that belong together."""

    name: str
    endpoints: Sequence[Endpoint]


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema with a name."""

    name: str
    words: str
    kind: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All that the page tells."""

    subjects: Sequence[Subject]
    schemes: Sequence[tuple[str, str]]
    shapes: Sequence[Shape]

    @classmethod
    def of(cls, document: Json) -> "Endpoints":
        """Read a document of ours."""
        reader = Reader(document)
        by_subject: dict[str, list[Endpoint]] = {}
        for path, method, operation in operations_of(document):
            by_subject.setdefault(operation["tags"][0], []).append(_endpoint(reader, path, method, operation))
        components = document["components"]
        return cls(
            subjects=[Subject(name, endpoints) for name, endpoints in by_subject.items()],
            schemes=[(name, each["description"]) for name, each in components.get("securitySchemes", {}).items()],
            shapes=[
                Shape(name, " ".join(each.get("description", "").split()), reader.kind(each), reader.fields(each))
                for name, each in sorted(components["schemas"].items())
            ],
        )


def _endpoint(reader: Reader, path: str, method: str, operation: Json) -> Endpoint:
    schemes = [name for each in operation.get("security", ()) for name in each or [""]]
    return Endpoint(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        words=" ".join(operation.get("description", "").split()),
        schemes=schemes,
        parameters=[Parameter(each["in"], _parameter(reader, each)) for each in operation.get("parameters", ())],
        bodies=list(_bodies(reader, operation.get("requestBody", {}))),
        answers=[_answer(reader, status, answer) for status, answer in operation["responses"].items()],
    )


def _parameter(reader: Reader, parameter: Json) -> Field:
    name, schema = parameter["name"], parameter["schema"]
    (row, *_) = reader.fields({"properties": {name: schema}})
    words = parameter.get("description", row.description)
    return Field(name, row.kind, parameter.get("required", False), row.rules, words)


def _answer(reader: Reader, status: str, answer: Json) -> Answer:
    slugs = slugs_of(answer)
    bodies = [] if slugs else list(_bodies(reader, answer))
    return Answer(status, answer["description"], bodies, slugs)


def _bodies(reader: Reader, holder: Json) -> Iterator[Body]:
    for media, content in holder.get("content", {}).items():
        schema = content.get("schema", {})
        examples = reader.resolved(schema).get("examples", ())
        written = json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else ""
        yield Body(media, reader.kind(schema) if schema else "", list(dict.fromkeys(_named(schema))), written)


def _named(schema: object) -> Iterator[str]:
    """Name the shapes that a schema refers to by itself, not by what it refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for each in schema.values():
            yield from _named(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _named(each)
