"""Where each request comes in: it gets its name and its trace, and its end is counted and told of."""

import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from shared.observability import Origin, stemming, tracing, valid_traceparent
from shared.observability.metrics import HTTP_SECONDS

log = structlog.get_logger()
CORRELATION_HEADER = "X-Correlation-Id"
CALLER_LEFT = 499
"""What nginx notes of a request whose caller did not wait for the answer; nobody is answered so."""
_NAME = CORRELATION_HEADER.lower().encode()
_SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PREFIX = re.compile(r"/api/[a-z]+(?=/)")
_PROBES = re.compile(r"/api/[a-z]+/(health/[a-z]+|metrics)")
"""By which the process itself is watched: counted, but neither logged nor traced."""


class Entrance:
    """Gives each request its correlation id: the caller's if it is a sane one, else a new one; answers it.

    It goes on the trace that the caller names, or begins one. Its end is one line of the log and one observation, which
    name its route by the template, never by the path, for that may hold a token. Neither query nor headers are told.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._durations: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        source = _origin(scope["headers"])
        scope.setdefault("state", {})["correlation_id"] = source.correlation_id
        header = (_NAME, (source.correlation_id or "").encode())
        status = CALLER_LEFT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        with stemming(source):
            if _PROBES.fullmatch(scope["path"]):
                await self._app(scope, receive, answer)
                self._observe(scope, status, time.perf_counter() - began)
                return
            with tracing.span(_method(scope), kind="server") as span:
                try:
                    await self._app(scope, receive, answer)
                finally:
                    seconds = time.perf_counter() - began
                    method, route = self._observe(scope, status, seconds)
                    log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4))
                    _note(span, method, route, status)

    def _observe(self, scope: Scope, status: int, seconds: float) -> tuple[str, str]:
        method, route = _method(scope), _route(scope)
        key = method, route, status
        if (duration := self._durations.get(key)) is None:
            duration = self._durations[key] = HTTP_SECONDS.labels(method, route, str(status))
        duration.observe(seconds)
        return method, route


def _origin(headers: Iterable[tuple[bytes, bytes]]) -> Origin:
    correlation_id, traceparent = "", None
    for name, value in headers:
        if name == _NAME:
            correlation_id = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = valid_traceparent(value.decode("latin-1"))
    if not _SAFE_ID.fullmatch(correlation_id):
        correlation_id = str(uuid7())
    return Origin(correlation_id, traceparent)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _route(scope: Scope) -> str:
    """Name the route that took a request as it was declared; what none took has no name of its own."""
    route: Any = scope.get("route")
    template = getattr(route, "path", None)
    if isinstance(template, str):
        # A router that is included under a prefix keeps its routes without it.
        prefix = _PREFIX.match(scope["path"])
        return template if prefix is None or template.startswith(prefix[0]) else prefix[0] + template
    return "assets" if scope["path"].startswith("/assets/") and "endpoint" in scope else "unmatched"


def _note(span: tracing.Span, method: str, route: str, status: int) -> None:
    about: dict[str, tracing.Value] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        about["error.type"] = str(status)
    span.note(about, f"{method} {route}")
