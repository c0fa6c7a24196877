"""The OpenAPI documents: valid, whole, and honest about how a service refuses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.events.contract import Json
from shared.events.topics import SERVICES
from shared.web import limits, tokens
from shared.web.openapi import ABOUT, operations_of, slugs_of
from tests.contracts.apps import visiting

ROOT = Path(__file__).parents[2]
SLUG = re.compile(r"[a-z]+(-[a-z]+)+|held|cancelled|invalid|unreadable")
KINDS = {"NotFound", "Conflict", "Forbidden", "Unauthorised", "Malformed", "Refusal", "Fault", "Invalid"}
NOT_OVER_HTTP = {
    "older-than-known",  # of what comes from outside, as the next two are: in the receipt
    "organisation-known",
    "request-refused",
    "slug-taken",  # of `convoca import`
    "unknown-link",  # of pages
}
OF_THE_EDGE = {
    "internal", "unavailable", "malformed", "too-large", "invalid", "too-many-requests", "unsupported-media-type",
}  # fmt: skip
"""Slugs that no service raises by name: of statuses, and of middleware."""
by_service = pytest.mark.parametrize("service", SERVICES)


def document_of(app: FastAPI) -> Json:
    return app.openapi()


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, RouteContext]]:
    """Give each route of the API, with its path and method."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and str(route.path).startswith("/api/"):
            for method in route.methods or ():
                yield str(route.path_format), method.lower(), route


@by_service
async def test_the_document_is_valid_and_served(apps: dict[str, FastAPI], service: str) -> None:
    made = document_of(apps[service])
    OpenAPIV31SpecValidator(made).validate()
    async with visiting(apps[service]) as client:
        answer = await client.get(f"/api/{service}/openapi.json")
    assert answer.json() == made
    assert made["openapi"].startswith("3.1")


@by_service
def test_every_route_of_the_api_is_described(apps: dict[str, FastAPI], service: str) -> None:
    routes = {(path, method) for path, method, _ in routes_of(apps[service])}
    described = {(path, method): each for path, method, each in operations_of(document_of(apps[service]))}
    assert described.keys() == routes
    for own in ("health/live", "health/ready", "metrics", "docs", "asyncapi", "asyncapi.json"):
        assert (f"/api/{service}/{own}", "get") in routes
    assert (f"/api/{service}/schemas/{{event_type}}/{{version}}.json", "get") in routes
    assert all(each["description"] for each in described.values())


@by_service
def test_no_refusal_is_described_in_fastapis_own_words(apps: dict[str, FastAPI], service: str) -> None:
    made = document_of(apps[service])
    assert "HTTPValidationError" not in str(made)
    for path, method, operation in operations_of(made):
        for status, answer in operation["responses"].items():
            if status >= "400" and not path.endswith("health/ready"):
                assert set(answer["content"]) == {"application/problem+json"}, (path, method, status)
                assert slugs_of(answer)
        if ABOUT not in operation["tags"]:
            assert {"500", "503"} <= operation["responses"].keys(), (path, method)
            assert ("requestBody" in operation) == ("413" in operation["responses"])


@by_service
def test_who_needs_a_token_is_described_as_it_is_checked(apps: dict[str, FastAPI], service: str) -> None:
    made = document_of(apps[service])
    for path, method, route in routes_of(apps[service]):
        operation = made["paths"][path][method]
        checks = {each.call for each in route.dependant.dependencies}
        refused = operation["responses"].keys() & {"401", "403"}
        if checks & {tokens.require_staff, tokens.require_publisher}:
            assert operation["security"] == [{"bearer": []}], path
            assert refused == {"401", "403"}, path
        elif operation.get("security"):
            assert {} in operation["security"] or {"manage": []} in operation["security"], path
            assert "401" in refused
        else:
            assert not refused, path


def test_the_ways_to_say_who_one_is_are_described(apps: dict[str, FastAPI]) -> None:
    schemes = document_of(apps["registration"])["components"]["securitySchemes"]
    assert schemes["bearer"]["type"] == "http"
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["manage"]["type"], schemes["manage"]["in"], schemes["manage"]["name"]) == (
        "apiKey",
        "query",
        "token",
    )


def test_one_may_enrol_again_with_the_same_key(apps: dict[str, FastAPI]) -> None:
    enrol = document_of(apps["registration"])["paths"]["/api/registration/enrolments"]["post"]
    (key,) = enrol["parameters"]
    assert (key["name"], key["in"], key.get("required", False)) == ("Idempotency-Key", "header", False)
    assert slugs_of(enrol["responses"]["422"]) == ["idempotency-key-reused", "invalid"]
    assert "Retry-After" in enrol["responses"]["429"]["headers"]
    assert slugs_of(enrol["responses"]["429"]) == [limits.TooManyRequests(1).slug]


@pytest.mark.parametrize("service", ["catalogue", "registration"])
def test_an_event_may_be_sent_in_both_modes(apps: dict[str, FastAPI], service: str) -> None:
    made = document_of(apps[service])
    publish = made["paths"][f"/api/{service}/events"]["post"]
    assert set(publish["requestBody"]["content"]) == {"application/json", "application/cloudevents+json"}
    assert {"ce-id", "ce-source", "ce-type"} <= {each["name"] for each in publish["parameters"]}
    assert any(name.startswith("inbound.") for name in made["components"]["schemas"])


def slugs_in(folder: Path) -> Iterator[str]:
    """Find the slugs that code raises: texts of which a problem is made, or a name that is given to one."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "slug")]
            elif isinstance(node, ast.Assign) and any(
                getattr(each, "id", "") in {"slug", "taken"} for each in node.targets
            ):
                given = [node.value]
            elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_REFUSED":
                given = list(getattr(node.value, "keys", []))
            else:
                continue
            for each in given:
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and SLUG.fullmatch(each.value):
                    yield each.value


@by_service
def test_every_slug_that_a_service_raises_is_described_and_no_other(apps: dict[str, FastAPI], service: str) -> None:
    made = document_of(apps[service])
    described = {
        slug
        for _, _, operation in operations_of(made)
        for answer in operation["responses"].values()
        for slug in slugs_of(answer)
    }
    own = set(slugs_in(ROOT / "services" / service)) - NOT_OVER_HTTP
    assert own <= described
    common = {slug for each in ("web", "messaging") for slug in slugs_in(ROOT / "shared" / each)}
    assert described <= own | common | OF_THE_EDGE


async def test_problems_that_are_told_are_as_described(apps: dict[str, FastAPI]) -> None:
    made = document_of(apps["catalogue"])
    schema = Draft202012Validator({**made["components"]["schemas"]["Problem"], "components": made["components"]})
    async with visiting(apps["catalogue"]) as client:
        refusals = [
            await client.post("/api/catalogue/workshops", json={}),
            await client.get("/api/catalogue/workshops?limit=0"),
            await client.get("/api/catalogue/schemas/x/1.json"),
            await client.post("/api/catalogue/events", content=b"x" * 300_000),
        ]
    assert [each.status_code for each in refusals] == [401, 422, 404, 413]
    for answer in refusals:
        assert [each.message for each in schema.iter_errors(answer.json())] == []
    assert refusals[1].json()["errors"]
