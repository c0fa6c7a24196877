"""A schema as rows: what stands in it is shown, however deep, and what refers to itself ends."""

from shared.web.documents import prose
from shared.web.documents.fields import Field, Reader

DOCUMENT = {
    "components": {
        "schemas": {
            "Place": {
                "type": "object",
                "description": "Where people\nmeet.",
                "required": ["city"],
                "properties": {"city": {"type": "string", "maxLength": 50}},
            },
            "Tree": {
                "type": "object",
                "properties": {"under": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
            },
        }
    }
}
PLACE = {"$ref": "#/components/schemas/Place"}
READER = Reader(DOCUMENT)


def rows(**properties: object) -> dict[str, Field]:
    return {each.path: each for each in READER.fields({"type": "object", "properties": properties})}


def test_what_lies_within_is_shown_by_its_path() -> None:
    found = rows(
        place=PLACE, several={"type": "array", "items": PLACE}, named={"type": "object", "additionalProperties": PLACE}
    )
    assert list(found) == ["place", "place.city", "several", "several[].city", "named", "named.*.city"]
    assert found["place"] == Field("place", "object", required=False, rules=[], description="Where people meet.")
    assert found["several[].city"].required
    assert found["several[].city"].rules == [("maxLength", "50")]


def test_a_type_is_named_with_its_format_and_its_alternatives() -> None:
    moment = {"type": "string", "format": "date-time"}
    found = rows(
        at={"anyOf": [moment, {"type": "null"}], "default": None},
        on={"anyOf": [PLACE, moment]},
        seats={
            "type": "object",
            "propertyNames": {"enum": ["in_person", "online"]},
            "additionalProperties": {"type": "integer"},
        },
        always={"const": "1.0"},
        whatever={},
    )
    assert {path: each.kind for path, each in found.items()} == {
        "at": "string (date-time) or null",
        "on": "object or string (date-time)",
        "on.city": "string",
        "seats": "map of integer",
        "always": "string",
        "whatever": "any",
    }
    assert found["at"].rules == []
    assert found["seats"].rules == [("keys", "in_person · online")]
    assert found["always"].rules == [("const", "1.0")]


def test_rules_of_items_without_fields_have_a_row_of_their_own() -> None:
    found = rows(themes={"type": "array", "maxItems": 3, "items": {"type": "string", "enum": ["a", "b"]}})
    assert found["themes"].rules == [("maxItems", "3")]
    assert found["themes[]"].rules == [("enum", "a · b")]


def test_what_refers_to_itself_ends() -> None:
    assert 1 < len(rows(tree={"$ref": "#/components/schemas/Tree"})) < 20


def test_words_are_escaped_before_what_stands_between_backticks_becomes_code() -> None:
    assert prose("take `<a>` & `b`") == "take <code>&lt;a&gt;</code> &amp; <code>b</code>"
