"""What goes wrong, as HTTP says it: problem+json (RFC 9457) to machines, a page in their language to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import passes
from shared.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Problem, Unauthorised, Unavailable, wording
from shared.observability import where
from shared.web.addresses import RelativeRedirects
from shared.web.entrance import Entrance
from shared.web.forms import field_name
from shared.web.limits import BodyLimit, TimeLimit, TooManyRequests
from shared.web.methods import HeadAsGet, allowed

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:convoca:problem:"
SECONDS_TO_RETRY = 5
PLACES = {"body", "query", "path", "header", "cookie"}
"""Where FastAPI says that a field stands; callers know it by its name alone."""

log = structlog.get_logger()

_STATUS: Mapping[type[Problem], int] = {
    Malformed: 400,
    NotFound: 404,
    Conflict: 409,
    Forbidden: 403,
    Unauthorised: 401,
    Invalid: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}
_SLUGS: Mapping[int, str] = {
    400: "malformed",
    401: "unauthorised",
    413: "too-large",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}
"""Slugs of statuses, where they are not the words of the status itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A problem ready to be told. `slug` is stable and ends the `type`; `detail` shows nothing of our inside."""

    status: int
    slug: str
    detail: str
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemPages(Protocol):
    """Who shows a problem to a person."""

    def problem(self, request: Request, answer: Answer) -> Response:
        """Make the page."""


def reference(request: Request) -> str:
    """Give the id by which a request is found in the logs."""
    return str(getattr(request.state, "correlation_id", "unknown"))


def install(app: FastAPI, pages: ProblemPages | None = None) -> None:
    """Make `app` answer every error as a problem, bound its requests, answer HEAD, redirect within its own site.

    With `pages`, errors outside `/api/` are pages for whoever accepts HTML. Call it once, after the app's other
    middleware has been added.
    """

    async def tell(request: Request, error: Exception) -> Response:
        answer = answer_to(error)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            answer = replace(answer, headers={"Allow": allowed(app.routes, request.scope)})
        return _respond(request, answer, pages)

    for kind in (Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, tell)
    app.add_middleware(RelativeRedirects)
    app.add_middleware(BodyLimit)
    app.add_middleware(TimeLimit)
    app.add_middleware(_Unexpected, pages=pages)
    app.add_middleware(Entrance)
    app.add_middleware(HeadAsGet)


def answer_to(error: Exception) -> Answer:
    """Say what HTTP answers to an error; for one that nobody foresaw that it is ours, and no more."""
    match error:
        case Problem():
            return _problem(error)
        case RequestValidationError():
            return _validation(error)
        case HTTPException():
            slug = _SLUGS.get(error.status_code) or _slug(HTTPStatus(error.status_code).phrase)
            return Answer(error.status_code, slug, str(error.detail), headers=error.headers or {})
        case _ if passes(error):
            return _problem(Unavailable("unavailable", "Something that this service needs does not answer: try again."))
        case _:
            return Answer(500, "internal", "Something went wrong on our side.")


def faults(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Write pydantic's errors as `{field, message}`, without repeating the values."""
    found = [(field_name(_without_place(fault["loc"])), wording(fault)) for fault in errors]
    # What both an endpoint and what it depends on read is found wrong twice.
    return [{"field": name, "message": message} for name, message in dict.fromkeys(found)]


def _problem(problem: Problem) -> Answer:
    status = next(_STATUS[kind] for kind in type(problem).__mro__ if kind in _STATUS)
    extra = dict(problem.extra)
    headers = {}
    match problem:
        case Invalid():
            extra["errors"] = [{"field": name, "message": message} for name, message in problem.fields]
        case Unauthorised():
            headers["WWW-Authenticate"] = "Bearer"
        case TooManyRequests():
            headers["Retry-After"] = str(problem.retry_after)
        case Unavailable():
            headers["Retry-After"] = str(SECONDS_TO_RETRY)
    return Answer(status, problem.slug, problem.detail, extra, headers)


def _validation(error: RequestValidationError) -> Answer:
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return Answer(400, "malformed", "The body is not JSON that can be read.")
    wrong = faults(error.errors())
    named = ", ".join(fault["field"] or "the body" for fault in wrong)
    return Answer(422, "invalid", f"The request is not valid: look at {named}.", {"errors": wrong})


def _without_place(location: Sequence[int | str]) -> Sequence[int | str]:
    return location[1:] if location and location[0] in PLACES else location


def _slug(phrase: str) -> str:
    return phrase.lower().replace("'", "").replace(" ", "-")


def _respond(request: Request, answer: Answer, pages: ProblemPages | None) -> Response:
    for_a_person = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if pages is not None and for_a_person:
        response = pages.problem(request, answer)
        response.headers.update(answer.headers)
        return response
    members = {
        "type": f"{PREFIX}{answer.slug}",
        "title": answer.slug.replace("-", " ").capitalize(),
        "status": answer.status,
        "detail": answer.detail,
        "instance": f"urn:convoca:request:{reference(request)}",
    }
    body = to_json({**members, **answer.extra, **members})
    return Response(body, answer.status, {"Cache-Control": "no-store", **answer.headers}, MEDIA_TYPE)


class _Unexpected:
    """Answers what no handler knows, so that the server beneath us never tells it in its own words."""

    def __init__(self, app: ASGIApp, pages: ProblemPages | None) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the edge of the process: nobody above could do better
            answer = answer_to(error)
            if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                # Neither message nor traceback: they may say something personal.
                told = {"method": scope["method"], "error": type(error).__name__, "at": where(error)}
                log.error("request-failed", **told)  # noqa: TRY400
            elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                log.warning("request-unavailable", method=scope["method"], error=type(error).__name__)
            if started:  # cut off; the server would log the error itself, which may say something personal
                message = "the answer had begun"
                raise RuntimeError(message) from None
            await _respond(Request(scope), answer, self._pages)(scope, receive, send)
