"""Addresses that we answer with: this site's are told without scheme and host, which only the front door knows."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REDIRECTS = range(300, 400)


class RelativeRedirects:
    """Makes a redirect within this site a relative one (RFC 9110, section 10.2.2).

    What adds or takes a trailing slash makes it of the request as it came here, by plain HTTP, though whoever asked may
    have come to the front door by TLS.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in REDIRECTS:
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                if (location := headers.get("location")) is not None:
                    headers["location"] = _relative(location, _host(scope))
            await send(message)

        await self._app(scope, receive, answer)


def _relative(location: str, host: str) -> str:
    parts = urlsplit(location)
    if not parts.netloc or parts.netloc != host:
        return location
    # Of two slashes at its beginning the first path would make another host.
    return parts._replace(scheme="", netloc="", path=f"/{parts.path.lstrip('/')}").geturl()


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
