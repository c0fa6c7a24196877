"""Which methods an address knows: HEAD wherever there is GET, and all of them named where another is refused."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Answers HEAD as GET is answered, without the content (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_content)


def allowed(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """Name the methods that an address knows, as the header Allow does (RFC 9110, section 10.2.1)."""
    known: set[str] = set()
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            known |= getattr(route, "methods", None) or set()
    if "GET" in known:
        known.add("HEAD")
    return ", ".join(sorted(known))
