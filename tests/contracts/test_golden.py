"""Golden samples: events of every shape and version, as they were once written, are understood today."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from shared.events.base import Event
from shared.events.contract import SAMPLES as FOLDER
from shared.events.contract import Json, every_shape, schema_of
from shared.messaging.envelope import unseal
from tests.contracts.golden import SAMPLES, Sample

by_shape = pytest.mark.parametrize("shape", every_shape(), ids=lambda shape: f"{shape.shape}-{shape.version}")
by_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@by_sample
def test_what_was_written_is_understood(sample: Sample) -> None:
    envelope, data = unseal(sample.record)
    written = sample.written
    assert (envelope.id, envelope.source, envelope.type) == (written["id"], written["source"], sample.shape.type)
    assert envelope.subject == written.get("subject")
    assert envelope.sequence == (int(written["sequence"]) if "sequence" in written else None)
    assert (envelope.time and envelope.time.isoformat()) == written.get("time")
    assert (envelope.causation_id, envelope.correlation_id) == (
        written.get("causationid"),
        written.get("correlationid"),
    )
    assert envelope.traceparent == written.get("traceparent")
    understood = sample.shape.model_validate_json(data).model_dump(mode="json")
    assert list(lost(written["data"], understood)) == []


@by_sample
def test_a_sample_is_valid_by_the_schema_that_is_served(sample: Sample) -> None:
    schema = Draft202012Validator(schema_of(sample.shape), format_checker=FormatChecker())
    assert [each.message for each in schema.iter_errors(sample.written["data"])] == []


@by_shape
def test_the_samples_of_a_shape_show_all_that_it_may_hold(shape: type[Event]) -> None:
    schema = schema_of(shape)
    shown = {path for each in SAMPLES if each.shape is shape for path in paths(each.written["data"])}
    assert set(promised(schema, schema)) - shown == set()


@by_shape
def test_the_least_sample_of_a_shape_holds_only_what_must_be_there(shape: type[Event]) -> None:
    (least,) = (each for each in SAMPLES if each.shape is shape and each.path.stem == "least")
    assert set(least.written["data"]) == set(schema_of(shape)["required"])


def test_there_is_no_sample_of_an_unknown_shape() -> None:
    assert {each.path for each in SAMPLES} == set(FOLDER.rglob("*.json"))


def lost(written: Any, understood: Any, path: str = "data") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Tell where something that was written was not understood as it was meant."""
    if isinstance(written, dict) and isinstance(understood, dict):
        for name, value in written.items():
            if name in understood:
                yield from lost(value, understood[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(written, list) and isinstance(understood, list) and len(written) == len(understood):
        for number, pair in enumerate(zip(written, understood, strict=True)):
            yield from lost(*pair, f"{path}.{number}")
    elif written != understood:
        yield path


def paths(document: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Name all properties of a document; items of lists and values of maps are looked into alike."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield f"{path}.{name}"
            yield from paths(value, f"{path}.{name}")
            yield from paths(value, f"{path}.*")
    elif isinstance(document, list):
        for value in document:
            yield from paths(value, path)


def promised(schema: Json, root: Json, path: str = "") -> Iterator[str]:
    """Name all properties that a schema speaks of."""
    if "$ref" in schema:
        yield from promised(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from promised(part, root, f"{path}.{name}")
    for part in (schema.get("items"), *schema.get("anyOf", ())):
        if isinstance(part, dict):
            yield from promised(part, root, path)
    if isinstance(part := schema.get("additionalProperties"), dict):
        yield from promised(part, root, f"{path}.*")
