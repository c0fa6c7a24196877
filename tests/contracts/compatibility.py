"""What a change of a schema would break, for whom: the gate of the contract.

Of what comes from outside, all that was valid must stay valid and keep its meaning. A fact lies on its stream for
years and is read by programs that nobody here can change: what was valid must stay valid, and what is valid must
have been so before, so that only properties that may be absent are added. What the gate does not understand is a break.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Schema = Json | bool
ANNOTATIONS = {"title", "description", "examples", "deprecated", "$comment", "$id", "$schema", "$defs"}
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME = ("pattern", "format", "uniqueItems", "multipleOf")
"""What must be as it was, or go."""
PARTS = ("items", "additionalProperties", "propertyNames")
UNDERSTOOD = {
    *ANNOTATIONS, *LOWER, *UPPER, *SAME, *PARTS,
    "$ref", "anyOf", "type", "enum", "const", "required", "properties", "default",
}  # fmt: skip
DEEPEST = 50
"""Levels; deeper than this a shape refers to itself, and has been compared already."""


@dataclass(frozen=True, slots=True)
class Break:
    """Something that somebody relies on is gone: where in the document, and what."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path or 'data'}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Side:
    """A schema, or a part of it, with the document in which its references are found."""

    schema: Schema
    root: Json

    def part(self, schema: Schema) -> "_Side":
        return _Side(schema, self.root)

    @property
    def plain(self) -> Json:
        """The schema without a reference, and an object whatever it was; `True` is one without rules."""
        schema = self.schema
        if isinstance(schema, bool):
            return {} if schema else {"enum": []}
        if "$ref" in schema:
            found: Json = self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
            return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
        return schema

    @property
    def branches(self) -> list["_Side"]:
        """The alternatives of which a document meets one; rules that stand beside them hold for each."""
        plain = self.plain
        beside = {name: value for name, value in plain.items() if name not in {"anyOf", "default", *ANNOTATIONS}}
        choices = plain.get("anyOf")
        if choices is None:
            return [self.part(plain)]
        return [each for choice in choices for each in self.part({**self.part(choice).plain, **beside}).branches]


def breaks_of_inbound(old: Json, new: Json) -> list[Break]:
    """Tell what a system that sends documents of the `old` schema would suffer from the `new` one."""
    return list(_narrowed(_Side(old, old), _Side(new, new), ""))


def breaks_of_fact(old: Json, new: Json) -> list[Break]:
    """Tell what readers of a fact would suffer, of records that lie on the stream or of those to come."""
    narrowed = _narrowed(_Side(old, old), _Side(new, new), "")
    widened = _narrowed(_Side(new, new), _Side(old, old), "", additions=True)
    return [*narrowed, *(Break(each.path, f"for readers: {each.what}") for each in widened)]


def _narrowed(old: _Side, new: _Side, path: str, *, additions: bool = False) -> Iterator[Break]:
    """Find what is valid by `old` and would not be by `new`; with `additions`, `old` may have properties more."""
    if path.count(".") > DEEPEST:
        return
    yield from _default(old.plain, new.plain, path)
    for branch in old.branches:
        found = [list(_branch(branch, choice, path, additions=additions)) for choice in new.branches]
        yield from min(found, key=len)


def _default(old: Json, new: Json, path: str) -> Iterator[Break]:
    if "default" in old and ("default" not in new or old["default"] != new["default"]):
        yield Break(path, "what absence means has changed")


def _branch(old: _Side, new: _Side, path: str, *, additions: bool) -> Iterator[Break]:
    was, now = old.plain, new.plain
    for name in sorted({*was, *now} - UNDERSTOOD):
        if was.get(name) != now.get(name):
            yield Break(path, f"the gate does not know {name}")
    yield from _values(was, now, path)
    yield from _bounds(was, now, path)
    yield from _properties(old, new, path, additions=additions)
    for name in PARTS:
        if now.get(name, True) is not True:
            yield from _narrowed(
                old.part(was.get(name, True)), new.part(now[name]), f"{path}.<{name}>", additions=additions
            )


def _values(was: Json, now: Json, path: str) -> Iterator[Break]:
    before, after = _types(was), _types(now)
    if after is not None and (before is None or not before <= after):
        yield Break(path, "a type is taken no more")
    allowed, chosen = _chosen(now), _chosen(was)
    if allowed is not None:
        if chosen is None:
            yield Break(path, "only some values are taken")
        elif lost := [value for value in chosen if value not in allowed]:
            yield Break(path, f"values are gone: {', '.join(map(str, lost))}")


def _types(schema: Json) -> set[str] | None:
    named = schema.get("type")
    if named is None:
        return None
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types


def _chosen(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    chosen: list[Any] | None = schema.get("enum")
    return chosen


def _bounds(was: Json, now: Json, path: str) -> Iterator[Break]:
    for names, stricter in ((LOWER, 1), (UPPER, -1)):
        for name in names:
            if name in now and (name not in was or (now[name] - was[name]) * stricter > 0):
                yield Break(path, f"{name} is stricter")
    for name in SAME:
        if name in now and now[name] != was.get(name):
            yield Break(path, f"{name} is new or another")


def _properties(old: _Side, new: _Side, path: str, *, additions: bool) -> Iterator[Break]:
    was, now = old.plain, new.plain
    for name in sorted(set(now.get("required", ())) - set(was.get("required", ()))):
        yield Break(f"{path}.{name}".lstrip("."), "must be there now")
    before, after = was.get("properties", {}), now.get("properties", {})
    for name, schema in before.items():
        here = f"{path}.{name}".lstrip(".")
        if name in after:
            yield from _narrowed(old.part(schema), new.part(after[name]), here, additions=additions)
        elif not additions:
            yield Break(here, "is gone")
