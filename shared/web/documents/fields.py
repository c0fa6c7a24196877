"""A JSON Schema as rows that a person reads: each field by its path, with its type, its rules and its words."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
RULES = (
    "const", "enum", "pattern", "minLength", "maxLength", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum",
    "minItems", "maxItems", "minProperties", "maxProperties", "default",
)  # fmt: skip
DEEPEST = 8
"""Levels; deeper than this a schema refers to itself."""
NULL = "null"


@dataclass(frozen=True, slots=True)
class Field:
    """A row: `path` has `[]` for the items of a list, `.*` for the values of a map; `rules` are keyword and value."""

    path: str
    kind: str
    required: bool
    rules: Sequence[tuple[str, str]]
    description: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads schemas that stand in a document, where their references lead."""

    document: Json

    def fields(self, schema: Json) -> Sequence[Field]:
        """Give the rows of an object's schema, from the outside in."""
        return [row for each in self._alternatives(schema) for row in self._inside(each, "", 0)]

    def kind(self, schema: Json) -> str:
        """Name a schema's type: `string (uuid) or null`, `list of object`."""
        return " or ".join(dict.fromkeys(self._kind(each) for each in self._alternatives(schema)))

    def resolved(self, schema: Json) -> Json:
        """Follow a reference; what stands beside it holds too."""
        if "$ref" not in schema:
            return schema
        part: Any = self.document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            part = part[step]
        return self.resolved({**part, **{name: rule for name, rule in schema.items() if name != "$ref"}})

    def _alternatives(self, schema: Json) -> Sequence[Json]:
        plain = self.resolved(schema)
        choices = plain.get("anyOf") or plain.get("oneOf")
        return [one for choice in choices for one in self._alternatives(choice)] if choices else [plain]

    def _kind(self, plain: Json) -> str:
        named = plain.get("type", "")
        if named == "array":
            return f"list of {self.kind(plain['items'])}" if plain.get("items") else "list"
        if named == "object" and isinstance(plain.get("additionalProperties"), dict):
            return f"map of {self.kind(plain['additionalProperties'])}"
        if not named:
            return json_kind(plain["const"]) if "const" in plain else "any"
        return f"{named} ({plain['format']})" if "format" in plain else str(named)

    def _inside(self, plain: Json, path: str, depth: int) -> Iterator[Field]:
        if depth > DEEPEST:
            return
        required = plain.get("required", ())
        for name, schema in plain.get("properties", {}).items():
            yield from self._row(schema, f"{path}.{name}".lstrip("."), depth, required=name in required)
        for schema, step in ((plain.get("items"), "[]"), (plain.get("additionalProperties"), ".*")):
            if isinstance(schema, dict):
                yield from self._each(schema, f"{path}{step}", depth)

    def _each(self, schema: Json, path: str, depth: int) -> Iterator[Field]:
        """Give what is to be said of each item: its fields, or its rules where it has no fields."""
        for each in self._alternatives(schema):
            if "properties" in each:
                yield from self._inside(each, path, depth + 1)
            elif self._rules(schema):
                yield from self._row(schema, path, depth, required=False)
                return

    def _row(self, schema: Json, path: str, depth: int, *, required: bool) -> Iterator[Field]:
        words = self.resolved(schema).get("description", "")
        yield Field(path, self.kind(schema), required, self._rules(schema), " ".join(words.split()))
        for each in self._alternatives(schema):
            yield from self._inside(each, path, depth + 1)

    def _rules(self, schema: Json) -> Sequence[tuple[str, str]]:
        own = self.resolved(schema)
        parts = [own, *(each for each in self._alternatives(schema) if each is not own)]
        found = [
            (name, _value(name, part[name]))
            for part in parts
            for name in RULES
            if name in part and (name != "default" or part[name] is not None)
        ]
        keys = [self.resolved(part.get("propertyNames", {})).get("enum") for part in parts]
        return list(dict.fromkeys([*found, *(("keys", _value("enum", names)) for names in keys if names)]))


def json_kind(value: object) -> str:
    """Name the JSON type of a value."""
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}
    return kinds.get(type(value), NULL)


def _value(name: str, value: object) -> str:
    if name == "enum" and isinstance(value, list):
        return " · ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
