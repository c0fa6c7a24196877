"""The schemas: each is what its model says, was released as it is, and breaks nothing that was released before."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shared.events.base import SHAPES, Event
from shared.events.contract import SCHEMAS, Json, every_shape, schema_file, schema_of, shape_called, written
from shared.events.registration import OrganisationUpdated, SeatsChanged
from shared.events.topics import OWN
from tests.contracts.__main__ import publish
from tests.contracts.releases import RELEASES, Releases, bare, digest

by_shape = pytest.mark.parametrize("shape", every_shape(), ids=lambda shape: f"{shape.shape}-{shape.version}")
HINT = "run make contracts"


@by_shape
def test_the_schema_that_is_kept_and_served_is_what_the_model_says(shape: type[Event]) -> None:
    assert schema_file(shape).read_text(encoding="utf-8") == written(schema_of(shape)), HINT


@by_shape
def test_a_schema_is_json_schema_of_2020_12_and_is_called_what_the_envelope_says(shape: type[Event]) -> None:
    schema = schema_of(shape)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == shape.dataschema() == f"urn:convoca:{shape.shape}:{shape.version}"


@by_shape
def test_no_shape_breaks_what_was_released(shape: type[Event]) -> None:
    assert [str(each) for each in RELEASES.breaks(shape)] == []


@by_shape
def test_every_shape_is_released_as_it_is(shape: type[Event]) -> None:
    assert RELEASES.have(shape), HINT


def test_no_shape_that_was_released_is_gone_and_no_file_is_of_none() -> None:
    shapes = {(shape.shape, str(shape.version)) for shape in every_shape()}
    assert {(path.parent.parent.name, path.parent.name) for path in RELEASES.folder.glob("*/*/*")} == shapes
    assert {(path.parent.name, path.stem) for path in SCHEMAS.glob("*/*")} == shapes


@by_shape
def test_a_released_schema_was_never_changed(shape: type[Event]) -> None:
    for number, path in enumerate(RELEASES.of(shape), start=1):
        assert path.name == f"{number:02d}-{digest(path.read_bytes())}.json"


def test_a_fact_is_written_by_one_service_and_a_bare_type_means_it_first() -> None:
    owned = {topic.name for topics in OWN.values() for topic in topics}
    for shape in every_shape():
        assert shape.topic.inbound or shape.topic.name in owned
    scheduled, requested = shape_called("workshop.scheduled", 1), shape_called("enrolment.requested", 1)
    assert scheduled is not None
    assert scheduled.shape == "workshop.scheduled"
    assert requested is not None
    assert requested.shape == "inbound.enrolment.requested"
    assert shape_called("inbound.workshop.scheduled", 1) is SHAPES["inbound.workshop.scheduled", 1]
    assert shape_called("workshop.scheduled", 2) is None


@pytest.fixture
def kept(tmp_path: Path) -> Releases:
    """Give a folder where the first release of a shape lies."""
    releases = Releases(tmp_path / "released")
    assert publish([SeatsChanged], tmp_path, releases) == []
    assert schema_file(SeatsChanged, tmp_path).read_text() == written(schema_of(SeatsChanged))
    assert releases.have(SeatsChanged)
    return releases


def rewrite(path: Path, schema: Json) -> None:
    """Pretend that a release was another."""
    path.write_text(written(schema), encoding="utf-8")


def test_a_change_that_breaks_is_refused_and_nothing_is_written(kept: Releases, tmp_path: Path) -> None:
    before = kept.first(SeatsChanged)
    before["properties"]["owner"] = {"type": "string"}
    rewrite(kept.of(SeatsChanged)[0], before)
    schema_file(SeatsChanged, tmp_path).unlink()
    assert publish([SeatsChanged], tmp_path, kept) == ["seats.changed 1: owner: is gone"]
    assert not schema_file(SeatsChanged, tmp_path).exists()
    assert len(kept.of(SeatsChanged)) == 1


def test_a_change_that_adds_becomes_a_release_and_a_second_run_makes_none(kept: Releases, tmp_path: Path) -> None:
    before = bare(schema_of(OrganisationUpdated))
    del before["properties"]["population"]
    kept.keep(OrganisationUpdated)
    rewrite(kept.of(OrganisationUpdated)[0], before)
    for _ in range(2):
        assert publish([OrganisationUpdated], tmp_path, kept) == []
        assert len(kept.of(OrganisationUpdated)) == 2
