"""Every error is a problem that a machine can read, or a page that a person can."""

import json
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI, HTTPException
from pydantic import AfterValidator, BaseModel, EmailStr
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.testing import capture_logs

from shared.errors import Conflict, Forbidden, Invalid, NotFound, Problem, Unauthorised, Unavailable
from tests.web.browser import barriers, read
from tests.web.conftest import Visit

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Person(BaseModel):
    """Who enrols."""

    email: EmailStr


class Session(BaseModel):
    """A part of the body."""

    starts_at: int


class Body(BaseModel):
    """What is posted."""

    person: Person
    sessions: list[Session] = []
    seats: Annotated[int, AfterValidator(_even)] = 0


def raising(app: FastAPI, error: Exception, path: str = "/api/catalogue/x") -> None:
    @app.get(path)
    async def raise_it() -> None:
        raise error


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (NotFound("unknown-workshop", "No such workshop."), 404, "unknown-workshop"),
        (Conflict("not-open", "Enrolment is not open."), 409, "not-open"),
        (Forbidden("wrong-scope", "Not for you."), 403, "wrong-scope"),
        (Unauthorised("no-token", "Say who you are."), 401, "no-token"),
        (Unavailable("kafka", "No broker."), 503, "kafka"),
        (Invalid("Wrong.", slug="other-body"), 422, "other-body"),
        (HTTPException(404), 404, "not-found"),
        (HTTPException(405), 405, "method-not-allowed"),
        (HTTPException(400), 400, "malformed"),
        (ConnectionRefusedError(), 503, "unavailable"),
        (TimeoutError(), 503, "unavailable"),
        (PoolTimeoutError(), 503, "unavailable"),
        (InterfaceError("select", {}, Exception("closed")), 503, "unavailable"),
        (OperationalError("select", {}, OSError("gone")), 503, "unavailable"),
        (IntegrityError("insert", {}, Exception("nuria@example.cat")), 500, "internal"),
        (ValueError("nuria@example.cat"), 500, "internal"),
    ],
)
async def test_each_kind_of_error_has_its_status_and_slug(
    app: FastAPI, visit: Visit, error: Exception, status: int, slug: str
) -> None:
    raising(app, error)
    async with visit(app) as client:
        answer = await client.get("/api/catalogue/x")
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"].rpartition(":")[2] == slug
    assert problem["instance"].endswith(answer.headers["x-correlation-id"])
    assert set(problem) == {"type", "title", "status", "detail", "instance"} | ({"errors"} if status == 422 else set())


async def test_a_problem_carries_what_machines_may_read_but_never_in_place_of_its_own(
    app: FastAPI, visit: Visit
) -> None:
    raising(app, Conflict("external-registration", "Enrol elsewhere.", external_url="https://x.example", status=200))
    async with visit(app) as client:
        problem = (await client.get("/api/catalogue/x")).json()
    assert problem["external_url"] == "https://x.example"
    assert problem["status"] == 409


async def test_a_kind_of_a_kind_is_of_that_kind(app: FastAPI, visit: Visit) -> None:
    class Gone(NotFound):
        pass

    raising(app, Gone("gone", "It was here."))
    async with visit(app) as client:
        assert (await client.get("/api/catalogue/x")).status_code == 404


def test_a_problem_of_no_kind_is_a_mistake_that_shows() -> None:
    from shared.web.problems import answer_to  # noqa: PLC0415 - the face of this test alone

    with pytest.raises(StopIteration):
        answer_to(Problem("vague", "Something."))


async def test_what_is_wrong_in_a_place_is_said_once_though_two_read_it(app: FastAPI, visit: Visit) -> None:
    async def holder(number: UUID) -> UUID:
        return number

    @app.get("/api/registration/x/{number}")
    async def show(number: UUID, held: Annotated[UUID, Depends(holder)]) -> bool:
        return number == held

    async with visit(app) as client:
        problem = (await client.get("/api/registration/x/seven")).json()
    assert [error["field"] for error in problem["errors"]] == ["number"]


async def test_what_is_away_asks_to_be_tried_again(app: FastAPI, visit: Visit) -> None:
    raising(app, ConnectionRefusedError())
    async with visit(app) as client:
        answer = await client.get("/api/catalogue/x")
    assert int(answer.headers["retry-after"]) <= 5


async def test_who_does_not_say_who_asks_is_told_how(app: FastAPI, visit: Visit) -> None:
    raising(app, Unauthorised("no-token", "Send a token."))
    async with visit(app) as client:
        assert (await client.get("/api/catalogue/x")).headers["www-authenticate"] == "Bearer"


async def test_an_invalid_body_names_each_field_by_its_path(app: FastAPI, visit: Visit) -> None:
    @app.post("/api/catalogue/x")
    async def take(body: Body, day: int) -> None: ...

    sent = {"person": {"email": "nuria"}, "sessions": [{"starts_at": "noon"}], "seats": 3}
    async with visit(app) as client:
        answer = await client.post("/api/catalogue/x?day=monday", json=sent)
    assert answer.status_code == 422
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert set(errors) == {"person.email", "sessions.0.starts_at", "seats", "day"}
    assert errors["seats"] == "must be even"
    assert "noon" not in answer.text


async def test_fields_that_an_operation_finds_wrong_are_told_alike(app: FastAPI, visit: Visit) -> None:
    raising(app, Invalid("Look at the seats.", [("seats.online", "is below what is taken")]))
    async with visit(app) as client:
        problem = (await client.get("/api/catalogue/x")).json()
    assert problem["errors"] == [{"field": "seats.online", "message": "is below what is taken"}]


@pytest.mark.parametrize("body", ["{", "nuria@example.cat", "", '{"person": '])
async def test_what_is_not_json_is_malformed(app: FastAPI, visit: Visit, body: str) -> None:
    @app.post("/api/catalogue/x")
    async def take(body: Body) -> None: ...

    async with visit(app) as client:
        answer = await client.post("/api/catalogue/x", content=body, headers={"content-type": "application/json"})
    expected = (400, "malformed") if body else (422, "invalid")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == expected
    assert "nuria" not in answer.text


async def test_what_nobody_foresaw_is_logged_by_its_place_and_told_to_nobody(app: FastAPI, visit: Visit) -> None:
    raising(app, ValueError("nuria@example.cat"))
    with capture_logs() as logs:
        async with visit(app) as client:
            answer = await client.get("/api/catalogue/x")
    entry, request = logs
    assert (request["event"], request["route"], request["status"]) == ("request", "/api/catalogue/x", 500)
    assert (entry["event"], entry["log_level"], entry["error"]) == ("request-failed", "error", "ValueError")
    assert entry["at"].startswith("tests.web.test_problems:")
    assert "nuria" not in json.dumps(logs) + answer.text


async def test_a_template_that_is_missing_is_our_mistake_and_not_an_outage(app: FastAPI, visit: Visit) -> None:
    from jinja2 import TemplateNotFound  # noqa: PLC0415 - the face of this test alone

    raising(app, TemplateNotFound("x.html"))
    async with visit(app) as client:
        assert (await client.get("/api/catalogue/x")).status_code == 500


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (NotFound("unknown-workshop", "No such workshop."), 404, "No trobem aquesta pàgina"),
        (HTTPException(404), 404, "No trobem aquesta pàgina"),
        (ConnectionRefusedError(), 503, "Tornem de seguida"),
        (ValueError("secret"), 500, "Alguna cosa ha fallat per part nostra"),
        (HTTPException(418), 418, "No podem respondre a aquesta petició"),
    ],
)
async def test_people_are_told_in_their_language(
    app: FastAPI, visit: Visit, error: Exception, status: int, title: str
) -> None:
    raising(app, error, "/workshops/x")
    async with visit(app) as client:
        answer = await client.get("/workshops/x", headers=HTML)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = read(answer.text)
    assert page.one("h1").text == title
    assert not barriers(page)
    assert "secret" not in answer.text
    assert "No such workshop" not in answer.text
    assert (answer.headers["x-correlation-id"] in answer.text) == (status >= 500)


async def test_an_address_that_nobody_serves_is_a_page_to_people_and_a_problem_to_machines(
    app: FastAPI, visit: Visit
) -> None:
    async with visit(app) as client:
        assert (await client.get("/nowhere", headers=HTML)).headers["content-type"].startswith("text/html")
        for path, headers in [("/nowhere", {}), ("/api/nowhere", HTML)]:
            assert (await client.get(path, headers=headers)).headers["content-type"] == "application/problem+json"


async def test_a_page_that_is_away_asks_to_be_tried_again_too(app: FastAPI, visit: Visit) -> None:
    raising(app, ConnectionRefusedError(), "/workshops/x")
    async with visit(app) as client:
        assert (await client.get("/workshops/x", headers=HTML)).headers["retry-after"] == "5"
