"""What a service says of itself is served: schemas, AsyncAPI, OpenAPI, and pages that need nothing from elsewhere."""

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from shared.events.contract import every_shape, schema_file, shapes_on
from shared.events.topics import OWN, SERVICES
from tests.contracts.apps import visiting
from tests.contracts.services import DOCUMENTS, FOLLOWED
from tests.web.browser import barriers, read

Apps = dict[str, FastAPI]
by_service = pytest.mark.parametrize("service", SERVICES)
by_page = pytest.mark.parametrize("page", ["asyncapi", "docs"])


@by_service
async def test_a_service_serves_the_schemas_of_what_it_says_and_takes_from_outside_alone(
    apps: Apps, service: str
) -> None:
    said = {shape.shape for topic in OWN[service] for shape in shapes_on(topic)}
    taken = {each.shape for one in FOLLOWED[service] if one.inbound for each in one.events.values()}
    async with visiting(apps[service]) as client:
        for shape in every_shape():
            answer = await client.get(f"/api/{service}/schemas/{shape.shape}/{shape.version}.json")
            if shape.shape in said | taken:
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "application/schema+json"
                assert answer.content == schema_file(shape).read_bytes()
                Draft202012Validator.check_schema(answer.json())
            else:
                assert answer.status_code == 404
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["type"].endswith(":unknown-schema")


@pytest.mark.parametrize(
    "address", ["workshop.scheduled/2.json", "workshop.scheduled/01.json", "../seats.changed/1.json", "x/x.json"]
)
async def test_a_schema_that_there_is_not_is_a_problem(apps: Apps, address: str) -> None:
    async with visiting(apps["catalogue"]) as client:
        answer = await client.get(f"/api/catalogue/schemas/{address}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_bare_type_means_what_is_taken_from_outside_where_nobody_here_says_it(apps: Apps) -> None:
    async with visiting(apps["registration"]) as client:
        bare = await client.get("/api/registration/schemas/enrolment.requested/1.json")
    assert bare.json()["$id"] == "urn:convoca:inbound.enrolment.requested:1"


@by_service
async def test_the_asyncapi_document_is_that_of_what_runs(apps: Apps, service: str) -> None:
    async with visiting(apps[service]) as client:
        answer = await client.get(f"/api/{service}/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    served, expected = answer.json(), DOCUMENTS[service]
    assert served["servers"]["kafka"]["protocol"] == "kafka"
    for part in ("id", "info", "channels", "operations"):
        assert served[part] == expected[part]
    assert served["components"]["messages"] == expected["components"]["messages"]


@by_service
@by_page
@pytest.mark.parametrize("language", ["ca", "es", "en"])
async def test_a_page_of_documents_keeps_nobody_out(apps: Apps, service: str, page: str, language: str) -> None:
    async with visiting(apps[service]) as client:
        answer = await client.get(f"/api/{service}/{page}", params={"lang": language})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    shown = read(answer.text)
    assert not barriers(shown)
    assert "&lt;code&gt;" not in answer.text
    assert shown.one("html").attributes["lang"] == language


@by_service
@by_page
async def test_a_page_of_documents_loads_nothing_from_elsewhere_and_sends_nothing(
    apps: Apps, service: str, page: str
) -> None:
    async with visiting(apps[service]) as client:
        answer = await client.get(f"/api/{service}/{page}")
        shown = read(answer.text)
        assert not [one for one in shown.elements if one.tag in {"script", "form", "button", "input", "iframe"}]
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        loaded = [one.attributes["href"] for one in shown.all("link")]
        assert all(each.startswith("/") for each in [*loaded, *(one.attributes["src"] for one in shown.all("img"))])
        for address in loaded:
            assert (await client.get(address)).status_code == 200, address


@by_service
async def test_the_page_of_events_shows_every_message_with_its_fields_and_examples(apps: Apps, service: str) -> None:
    async with visiting(apps[service]) as client:
        page = read((await client.get(f"/api/{service}/asyncapi")).text)
        made = DOCUMENTS[service]
        folds = {one.attributes["id"]: one.text for one in page.all("details")}
        shown = {
            f"{channel}-{name}": made["components"]["messages"][name]
            for operation in made["operations"].values()
            if operation["action"] == "send" or "inbound" in operation["channel"]["$ref"]
            for channel in [operation["channel"]["$ref"].rpartition("/")[2]]
            for each in operation["messages"]
            if not (name := each["$ref"].rpartition("/")[2]).endswith(".structured")
        }
        assert folds.keys() == shown.keys()
        for fold, message in shown.items():
            assert message["name"] in folds[fold]
            schema = message["payload"].get("$ref", "").rpartition("/")[2]
            for field in made["components"]["schemas"].get(schema, {}).get("properties", {}):
                assert field in folds[fold]
            for example in message["examples"]:
                assert all(f"{name}: {value}" in folds[fold] for name, value in example["headers"].items())
        for link in page.all("a"):
            address = link.attributes["href"]
            if "/schemas/" in address:
                assert (await client.get(address)).status_code == 200, address


@by_service
async def test_the_page_of_the_api_shows_every_endpoint_with_its_refusals(apps: Apps, service: str) -> None:
    async with visiting(apps[service]) as client:
        page = read((await client.get(f"/api/{service}/docs")).text)
        made = (await client.get(f"/api/{service}/openapi.json")).json()
    folds = {one.attributes["id"]: one.text for one in page.all("details")}
    operations = [(path, each) for path, methods in made["paths"].items() for each in methods.values()]
    assert folds.keys() == {each["operationId"] for _, each in operations}
    for path, each in operations:
        told = folds[each["operationId"]]
        assert path in told
        assert all(parameter["name"] in told for parameter in each.get("parameters", ()))
        assert {scheme for way in each.get("security", ()) for scheme in way} <= set(told.split())
        for answer in each["responses"].values():
            problem = answer.get("content", {}).get(
                "application/problem+json", {"schema": {"properties": {"type": {"enum": []}}}}
            )
            slugs = problem["schema"]["properties"]["type"]["enum"]
            assert all(slug.rpartition(":")[2] in told for slug in slugs)
