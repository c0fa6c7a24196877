"""The AsyncAPI documents: valid by the specification's own schema, and true to what runs."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from shared.events.contract import Json, every_shape, schema_of
from shared.events.topics import INBOUND, OWN, SERVICES
from shared.messaging import headers
from shared.messaging.asyncapi import Described, document
from shared.messaging.asyncapi.messages import message_name, payload_name
from shared.messaging.dead_letters import HEADER_PREFIX, KEY_HEADER, Fault, Letter, marks_of
from shared.messaging.envelope import Record
from shared.messaging.inbox import Identity
from tests.contracts.golden import SAMPLES, Sample
from tests.contracts.services import DOCUMENTS, FOLLOWED, SITE
from tests.contracts.test_conformance import sealed

SPECIFICATION = Draft7Validator(
    json.loads((Path(__file__).parent / "specification" / "asyncapi-3.0.0.json").read_bytes()),
    format_checker=FormatChecker(),
)
by_service = pytest.mark.parametrize("service", SERVICES)


def found(document: Json, pointer: str) -> Any:  # noqa: ANN401 - any JSON
    """Follow a reference; raises KeyError where it leads nowhere."""
    part: Any = document
    for step in pointer.removeprefix("#/").split("/"):
        part = part[step.replace("~1", "/").replace("~0", "~")]
    return part


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def faults(document: Json, schema: Json, instance: object) -> list[str]:
    """Tell what a schema, which stands in a document, has against an instance."""
    whole = {**schema, "components": document["components"]}
    return [each.message for each in Draft7Validator(whole, format_checker=FormatChecker()).iter_errors(instance)]


@by_service
@pytest.mark.parametrize("security", ["plaintext", "sasl_ssl"])
def test_a_document_is_valid_by_the_specification(service: str, security: str) -> None:
    made = document(Described(service, FOLLOWED[service], SITE, security))
    assert [f"{'/'.join(map(str, each.path))}: {each.message}" for each in SPECIFICATION.iter_errors(made)] == []
    assert ("securitySchemes" in made["components"]) == (security == "sasl_ssl")


def test_the_specification_refuses_what_is_none() -> None:
    wrong = json.loads(json.dumps(DOCUMENTS["catalogue"]))
    wrong["operations"]["send.catalogue.workshops"]["action"] = "publish"
    wrong["channels"]["catalogue.workshops"]["bindings"]["kafka"]["partitions"] = 0
    assert len(list(SPECIFICATION.iter_errors(wrong))) == 2


@by_service
def test_every_reference_of_a_document_leads_somewhere_and_nothing_lies_there_unused(service: str) -> None:
    made = DOCUMENTS[service]
    used = set(references(made))
    for pointer in used:
        found(made, pointer)
    for kind in ("messages", "schemas"):
        unused = {name for name in made["components"][kind] if f"#/components/{kind}/{name}" not in used}
        assert unused == set()
    assert {f"#/components/messages/{name}" for name in made["components"]["messages"]} <= used


def test_every_stream_is_written_by_one_service_and_every_shape_is_said_or_taken_by_one() -> None:
    operations = [each for made in DOCUMENTS.values() for each in made["operations"].values()]
    written = Counter(each["channel"]["$ref"] for each in operations if each["action"] == "send")
    assert written == Counter(f"#/channels/{topic.name}" for topics in OWN.values() for topic in topics)
    said = {
        each["$ref"].rpartition("/")[2]
        for operation in operations
        if operation["action"] == "send" or "inbound" in operation["channel"]["$ref"]
        for each in operation["messages"]
    }
    assert {message_name(shape) for shape in every_shape()} <= said


@by_service
def test_what_a_service_sends_is_what_it_owns(service: str) -> None:
    made = DOCUMENTS[service]
    sent = [each for each in made["operations"].values() if each["action"] == "send"]
    assert [each["channel"]["$ref"] for each in sent] == [f"#/channels/{topic.name}" for topic in OWN[service]]
    for topic in OWN[service]:
        channel = made["channels"][topic.name]
        assert channel["address"] == topic.name
        binding = channel["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        assert (binding["topicConfiguration"]["cleanup.policy"] == ["compact"]) == topic.compacted
        assert set(channel["messages"])


@by_service
def test_what_a_service_receives_is_what_it_follows(service: str) -> None:
    made = DOCUMENTS[service]
    received = [
        (
            each["bindings"]["kafka"]["groupId"]["const"],
            each["channel"]["$ref"],
            {message["$ref"].rpartition("/")[2].removesuffix(".structured") for message in each["messages"]},
        )
        for each in made["operations"].values()
        if each["action"] == "receive"
    ]
    assert received == [
        (each.group, f"#/channels/{topic.name}", {message_name(shape) for shape in each.events.values()})
        for each in FOLLOWED[service]
        for topic in each.topics
    ]


@pytest.mark.parametrize("service", ["catalogue", "registration"])
def test_an_outside_system_finds_its_own_stream_and_both_modes(service: str) -> None:
    channel = DOCUMENTS[service]["channels"][INBOUND[service].name]
    assert channel["address"] == f"inbound.{service}.{{publisher}}"
    assert set(channel["parameters"]) == {"publisher"}
    binary = {name for name in channel["messages"] if not name.endswith(".structured")}
    assert {f"{name}.structured" for name in binary} == set(channel["messages"]) - binary != set()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_payload_is_described_by_the_schema_that_is_served(sample: Sample) -> None:
    topic = sample.shape.topic.name.split(".")
    made = DOCUMENTS[topic[1] if sample.shape.topic.inbound else topic[0]]
    described = made["components"]["schemas"][payload_name(sample.shape)]
    here = f"#/components/schemas/{payload_name(sample.shape)}"
    moved_back = json.loads(json.dumps(described).replace(f'"{here}/', '"#/'))
    kept = {name: part for name, part in schema_of(sample.shape).items() if name not in {"$id", "$schema"}}
    assert moved_back == kept
    assert faults(made, described, sample.written["data"]) == []
    assert faults(made, described, {}) != []


@by_service
def test_every_example_is_valid_by_what_it_is_an_example_of(service: str) -> None:
    made = DOCUMENTS[service]
    for name, message in made["components"]["messages"].items():
        assert message["examples"], name
        for example in message["examples"]:
            assert faults(made, message["headers"], example["headers"]) == [], name
            assert faults(made, message["payload"], example["payload"]) == [], name


@pytest.mark.parametrize(
    "sample", [each for each in SAMPLES if not each.shape.topic.inbound], ids=lambda sample: sample.name
)
def test_the_headers_of_a_fact_are_those_that_are_written(sample: Sample) -> None:
    made = DOCUMENTS[sample.shape.topic.name.partition(".")[0]]
    described = made["components"]["messages"][message_name(sample.shape)]["headers"]
    written = {name: (value or b"").decode() for name, value in sealed(sample).headers}
    assert faults(made, described, written) == []
    assert set(written) <= set(headers.of_facts()["properties"])
    assert set(headers.of_facts()["required"]) <= set(written)
    assert faults(made, described, {**written, "ce_type": "another"}) != []


def test_all_headers_of_a_fact_are_written_at_times() -> None:
    written = {name for each in SAMPLES if not each.shape.topic.inbound for name, _ in sealed(each).headers}
    assert written == set(headers.of_facts()["properties"])


def test_the_headers_of_a_dead_letter_are_those_that_are_written() -> None:
    record = Record("inbound.catalogue.my-cms", 3, 1207, None, b"hello", ())
    letter = Letter(record, Identity("/somewhere", "1"), Fault("unreadable", "it is no CloudEvent"), attempts=1)
    marks = marks_of(letter, datetime(2027, 2, 3, tzinfo=UTC))
    described = headers.of_dead_letters()
    assert set(marks) == set(described["properties"]) - {KEY_HEADER} == set(described["required"])
    assert all(name.startswith(HEADER_PREFIX) for name in marks)
    assert faults(DOCUMENTS["catalogue"], described, dict(marks)) == []


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.shape.topic.key], ids=lambda sample: sample.name)
def test_a_record_is_keyed_by_what_the_document_names(sample: Sample) -> None:
    assert sample.written["subject"] == sample.written["data"][sample.shape.topic.key]
