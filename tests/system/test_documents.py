"""What the services say of themselves is true of what lies on their streams, and is served at the one address."""

from collections import defaultdict
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from shared.events.topics import SERVICES
from tests.system.offers import workshop
from tests.system.outside import let_in, said
from tests.system.people import Person
from tests.system.stack import Stack
from tests.system.streams import Record
from tests.waiting import eventually

MOST_OF_A_KIND = 20
Document = dict[str, Any]


async def described(stack: Stack, service: str) -> Document:
    answer = (await stack.http.get(f"/api/{service}/asyncapi.json")).raise_for_status()
    return dict(answer.json())


def validator(document: Document, schema: Document) -> Draft7Validator:
    return Draft7Validator({**schema, "components": document["components"]}, format_checker=FormatChecker())


async def test_every_record_of_ours_is_as_its_services_document_describes_it(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    for person in (Person(), Person()):
        await stack.enrol(energy, person)
    system = await let_in(stack, "catalogue")
    await stack.bus.publish(system.topic, said(system, "workshop.unheard-of", {}))

    async def all_told() -> bool:
        records = await stack.bus.records("catalogue.incidents", "dead-letters.catalogue")
        return len({each.topic for each in records}) == 2

    await eventually(all_told, "word of the dead letter")
    for service in SERVICES:
        document = await described(stack, service)
        sent = {
            each["channel"]["$ref"].rpartition("/")[2]
            for each in document["operations"].values()
            if each["action"] == "send"
        }
        addresses = {document["channels"][name]["address"]: name for name in sent}
        by_kind: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in await stack.bus.records(*addresses):
            kind = "dead-letter" if record.topic.startswith("dead-letters.") else record.header("ce_type")
            by_kind[addresses[record.topic], kind].append(record)
        assert by_kind
        for (channel, kind), records in by_kind.items():
            names = document["channels"][channel]["messages"]
            messages = [document["components"]["messages"][name] for name in names]
            (message,) = [each for each in messages if each["name"] == kind]
            headers, payload = (validator(document, message[part]) for part in ("headers", "payload"))
            for record in records[-MOST_OF_A_KIND:]:
                written = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
                assert [each.message for each in headers.iter_errors(written)] == [], kind
                assert kind == "dead-letter" or [each.message for each in payload.iter_errors(record.data)] == [], kind


@pytest.mark.parametrize("service", SERVICES)
async def test_the_pages_of_documents_and_what_they_load_come_through_the_front_door(
    stack: Stack, service: str
) -> None:
    for page in ("asyncapi", "docs"):
        shown = (await stack.http.get(f"/api/{service}/{page}")).raise_for_status()
        assert "default-src 'self'" in shown.headers["content-security-policy"]
        assert f"/assets/{service}/style.css" in shown.text
    assert (await stack.http.get(f"/assets/{service}/style.css")).status_code == 200
    (first, *_) = (await described(stack, service))["components"]["messages"].values()
    schema = await stack.http.get(first["externalDocs"]["url"])
    assert (schema.status_code, schema.headers["content-type"]) == (200, "application/schema+json")
