"""The gate of the contract: each kind of break is caught, additions pass, and JSON Schema itself agrees."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

from shared.events.catalogue import OutsideWorkshopScheduled, WorkshopScheduled
from shared.events.contract import Json
from tests.contracts.compatibility import breaks_of_fact, breaks_of_inbound
from tests.contracts.releases import RELEASES, bare

Change = Callable[[Json], object]
INBOUND: Json = RELEASES.first(OutsideWorkshopScheduled)
FACT: Json = RELEASES.first(WorkshopScheduled)
KINDS = ["workshop", "webinar", "training_module"]


def at(schema: Json, *path: str) -> Json:
    """Give the part of a schema that describes a property, within its definition where it has one."""
    for name in path:
        schema = schema["properties"][name] if name in schema.get("properties", {}) else schema[name]
    return schema


def put(*path: str, **rules: Any) -> Change:  # noqa: ANN401 - any rule
    """Change rules of a property; None takes one away."""

    def change(schema: Json) -> None:
        part = at(schema, *path)
        part.update(rules)
        for name, value in rules.items():
            if value is None:
                del part[name]

    return change


def drop(*path: str) -> Change:
    """Take a property away, and the need for it."""

    def change(schema: Json) -> None:
        owner = at(schema, *path[:-1])
        del owner["properties"][path[-1]]
        owner["required"] = [name for name in owner.get("required", ()) if name != path[-1]]

    return change


def add(name: str, *, required: bool) -> Change:
    """Add a property."""

    def change(schema: Json) -> None:
        schema["properties"][name] = {"type": "string"}
        schema["required"] += [name] if required else []

    return change


def without_null(schema: Json) -> None:
    """Let a number of seats be a number."""
    at(schema, "seats", "additionalProperties")["anyOf"].pop()


def with_text(schema: Json) -> None:
    """Let a number of seats be a word too."""
    at(schema, "seats", "additionalProperties")["anyOf"].append({"type": "string"})


def required(*names: str) -> Change:
    """Say what must be there."""
    return put(required=list(names))


NEEDED = ("kind", "title", "seats", "sessions", "external_id")
FACT_NEEDED = ("kind", "title", "seats", "workshop_id", "slug", "state", "sessions")
BREAKS_BOTH: dict[str, Change] = {
    "a property is gone": drop("group"),
    "a property that must be there is gone": drop("title"),
    "a property of a part is gone": drop("$defs", "Place", "address"),
    "something new must be there": add("owner", required=True),
    "a type is another": put("kind", type="integer"),
    "a type is gone": without_null,
    "a value is gone": put("kind", enum=KINDS),
    "only some values are taken where any was": put("per_organisation", anyOf=[{"enum": [1, 2]}, {"type": "null"}]),
    "a text may be less long": put("programme", anyOf=[{"type": "string", "maxLength": 3}]),
    "a number has a higher floor": put("seats", "additionalProperties", anyOf=[{"type": "integer", "minimum": 5}]),
    "there must be more of them": put("title", minProperties=2),
    "there may be less of them": put("themes", maxItems=3),
    "a pattern is new": put("kind", pattern="^w"),
    "a format is new": put("$defs", "Terms", "approval", format="date"),
    "keys are fewer": put("title", propertyNames={"enum": ["ca", "es"]}),
    "what stands in a list is stricter": put("themes", items={"type": "string", "maxLength": 5}),
    "absence means something else": put("language", default="en"),
    "absence has lost its meaning": put("language", default=None),
    "nothing else may stand beside": put(additionalProperties=False),
    "a rule comes that the gate does not know": put("kind", **{"not": {"const": "webinar"}}),
}
"""Changes that break those who send such a document, and those who read it."""
BREAKS_FACTS: dict[str, Change] = {
    "what was always there may be absent": required(*FACT_NEEDED[:-1]),
    "a value is new": put("kind", enum=[*FACT["properties"]["kind"]["enum"], "walk"]),
    "a type is new": with_text,
    "a text may be longer": put("slug", maxLength=200),
    "a pattern is gone": put("slug", pattern=None),
    "there may be none": put("title", minProperties=None),
    "keys are more": put("title", propertyNames={"enum": ["ca", "es", "en", "fr"]}),
}
"""Changes that break readers of facts alone."""
PASS_INBOUND: dict[str, Change] = {
    "less must be there": required(*NEEDED[:-1]),
    "a value is new": put("kind", enum=[*INBOUND["properties"]["kind"]["enum"], "walk"]),
    "a type is new": with_text,
    "a text may be longer": put("external_id", maxLength=300),
    "a pattern is gone": put("external_id", pattern=None),
    "keys are more": put("title", propertyNames={"enum": ["ca", "es", "en", "fr"]}),
}
PASS_BOTH: dict[str, Change] = {
    "nothing": lambda _: None,
    "something that may be absent": add("owner", required=False),
    "other words": put("kind", description="What it is.", title="Kind"),
}


def changed(schema: Json, change: Change) -> Json:
    """Give the schema as the change leaves it."""
    after = copy.deepcopy(schema)
    change(after)
    return after


@pytest.mark.parametrize("name", BREAKS_BOTH)
def test_what_breaks_who_sends_and_who_reads_is_caught(name: str) -> None:
    assert breaks_of_inbound(INBOUND, changed(INBOUND, BREAKS_BOTH[name]))
    assert breaks_of_fact(FACT, changed(FACT, BREAKS_BOTH[name]))


@pytest.mark.parametrize("name", BREAKS_FACTS)
def test_what_breaks_who_reads_facts_is_caught(name: str) -> None:
    assert breaks_of_fact(FACT, changed(FACT, BREAKS_FACTS[name]))


@pytest.mark.parametrize("name", PASS_INBOUND | PASS_BOTH)
def test_taking_more_from_outside_passes(name: str) -> None:
    assert not breaks_of_inbound(INBOUND, changed(INBOUND, (PASS_INBOUND | PASS_BOTH)[name]))


@pytest.mark.parametrize("name", PASS_BOTH)
def test_adding_to_a_fact_passes(name: str) -> None:
    assert not breaks_of_fact(FACT, changed(FACT, PASS_BOTH[name]))


def test_a_break_says_where_and_what() -> None:
    (found,) = breaks_of_inbound(INBOUND, changed(INBOUND, drop("$defs", "Place", "city")))
    assert str(found) == "sessions.<items>.place.city: is gone"


def test_words_for_people_are_left_out_and_a_property_called_title_is_not() -> None:
    schema = {"title": "A", "properties": {"title": {"description": "b", "type": "string"}}, "default": {"title": "c"}}
    assert bare(schema) == {"properties": {"title": {"type": "string"}}, "default": {"title": "c"}}


LEAVES = some.one_of(
    some.fixed_dictionaries({"type": some.just("integer")}, optional={"minimum": some.integers(0, 3)}),
    some.fixed_dictionaries({"type": some.just("string")}, optional={"maxLength": some.integers(0, 3)}),
    some.fixed_dictionaries({"enum": some.lists(some.sampled_from(["a", "b", 1, None]), min_size=1, unique=True)}),
    some.sampled_from([{"type": "null"}, {"type": "number"}, {}, {"$ref": "#/$defs/Name"}]),
)
REQUIRED = some.lists(some.sampled_from("xy"), unique=True)
Pair = tuple[Json, Json]


def apart(pairs: list[Pair]) -> tuple[list[Json], list[Json]]:
    """Take what was before from what is after."""
    return [old for old, _ in pairs], [new for _, new in pairs]


def choices(pairs: list[Pair], more: list[Json]) -> Pair:
    """Let there be alternatives, and perhaps more of them after."""
    before, after = apart(pairs)
    return {"anyOf": before}, {"anyOf": [*more, *after]}


def lists(pair: Pair, most: tuple[int, int]) -> Pair:
    """Let there be lists, each with its own greatest length."""
    old, new = ({"type": "array", "items": each, "maxItems": n} for each, n in zip(pair, most, strict=True))
    return old, new


def objects(pairs: dict[str, Pair], before: list[str], after: list[str]) -> Pair:
    """Let there be objects, each with its own needs."""
    old, new = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
    return (
        {"type": "object", "properties": old, "required": before},
        {"type": "object", "properties": new, "required": after},
    )


def maps(pair: Pair) -> Pair:
    """Let there be objects whose every value is of a kind."""
    old, new = ({"type": "object", "additionalProperties": each} for each in pair)
    return old, new


PAIRS = some.recursive(
    some.one_of(LEAVES.map(lambda leaf: (leaf, leaf)), some.tuples(LEAVES, LEAVES)),
    lambda inner: some.one_of(
        some.builds(choices, some.lists(inner, min_size=1, max_size=3), some.lists(LEAVES, max_size=1)),
        some.builds(lists, inner, some.tuples(some.integers(0, 2), some.integers(0, 2))),
        some.builds(objects, some.dictionaries(some.sampled_from("xy"), inner), REQUIRED, REQUIRED),
        some.builds(maps, inner),
    ),
    max_leaves=5,
)
"""Schemas as they were and as they are, alike in their build."""
NAMES = some.sampled_from([{"Name": {"type": "string", "minLength": length}} for length in range(3)])
DOCUMENTS = some.recursive(
    some.none() | some.integers(-1, 4) | some.sampled_from(["", "a", "b", "aaa"]) | some.just(1.5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("xy"), inner),
    max_leaves=6,
)


def only_what_it_knows(schema: Json, document: object) -> bool:
    """Tell whether a document holds no property that its schema has no word on; those were never promised."""
    closed = json.loads(json.dumps(schema), object_hook=_closed)
    return bool(Draft202012Validator(closed).is_valid(document))


def _closed(part: Json) -> Json:
    return {**part, "additionalProperties": False} if isinstance(part.get("properties"), dict) else part


@given(pair=PAIRS, names=some.tuples(NAMES, NAMES), documents=some.lists(DOCUMENTS, min_size=5, max_size=20))
def test_where_no_break_is_found_what_was_valid_is_valid(pair: Pair, names: Pair, documents: list[object]) -> None:
    old, new = ({**schema, "$defs": definitions} for schema, definitions in zip(pair, names, strict=True))
    assume(not breaks_of_inbound(old, new))
    for document in documents:
        if only_what_it_knows(old, document):
            assert Draft202012Validator(new).is_valid(document), (old, new, document)


@given(pair=PAIRS, names=NAMES)
def test_a_schema_breaks_nothing_of_its_own(pair: Pair, names: Json) -> None:
    whole = {**pair[0], "$defs": names}
    assert breaks_of_inbound(whole, whole) == breaks_of_fact(whole, whole) == []
