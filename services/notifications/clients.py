"""The outside that this service talks to: an SMTP server, over connections that are kept."""

import asyncio
import contextlib
import ssl
import time
from typing import Protocol

from aiosmtplib import (
    SMTP,
    SMTPConnectResponseError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from services.notifications.settings import SmtpServer

SECONDS_TO_CONNECT = 10
SECONDS_TO_ANSWER = 60
SECONDS_TO_KEEP = 30
"""How long a connection may rest before it is made anew: servers hang up on those that say nothing."""
NOW = 421
LAST_PASSING = 499


class Undelivered(Exception):  # noqa: N818 - what kind it is says the subclass
    """The server did not take a message; `reason` is a slug that repeats nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreachable(Undelivered):
    """There is no server to talk to; it says nothing about the message, which was not sent."""


class Deferred(Undelivered):
    """The server asks to try again later (4xx, RFC 5321, 4.2.1)."""


class Refused(Undelivered):
    """The server will not take it, now or later (5xx)."""


class InDoubt(Undelivered):
    """The whole message was given and no answer came: it may have been taken."""


class Post(Protocol):
    """Where mails are handed over."""

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> None:
        """Return once the server has taken the message; else raise the Undelivered that says what happened."""
        ...

    async def close(self) -> None:
        """Let go of what is kept between mails."""
        ...


class SmtpPost:
    """Hands mails to one SMTP server; as many connections as there are mails at once, each used again and again."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls = tls
        self._resting: list[tuple[float, SMTP]] = []

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> None:
        """Return once the server has taken the message; raises Unreachable, Deferred, Refused or InDoubt."""
        while (client := self._rested()) is not None:
            try:
                await self._send(client, sender, recipient, content)
            except Unreachable:
                continue  # the server had hung up while we rested: try the next, and at last a new one
            return
        await self._send(await self._connected(), sender, recipient, content)

    async def close(self) -> None:
        """Take leave of the server."""
        resting, self._resting = self._resting, []
        await asyncio.gather(*(_leave(client) for _, client in resting))

    async def _send(self, client: SMTP, sender: str, recipient: str, content: bytes) -> None:
        try:
            await _envelope(client, sender, recipient)
            await _content(client, content)
        except (Deferred, Refused):
            if await _began_anew(client):
                self._resting.append((time.monotonic(), client))
            raise
        except BaseException:
            client.close()
            raise
        self._resting.append((time.monotonic(), client))

    def _rested(self) -> SMTP | None:
        while self._resting:
            since, client = self._resting.pop()
            if client.is_connected and time.monotonic() - since < SECONDS_TO_KEEP:
                return client
            client.close()
        return None

    async def _connected(self) -> SMTP:
        client = client_of(self._server, self._tls, SECONDS_TO_ANSWER)
        try:
            await asyncio.wait_for(client.connect(), SECONDS_TO_CONNECT)
        except SMTPConnectResponseError as error:
            raise Unreachable(_slug(error.code)) from error
        except SMTPResponseException as error:  # it will not have us: a login that is wrong, a greeting it dislikes
            client.close()
            raise Unreachable(_slug(error.code)) from error
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            reason = "smtp-unreachable"
            raise Unreachable(reason) from error
        return client


def client_of(server: SmtpServer, tls: ssl.SSLContext | None, seconds: float) -> SMTP:
    """Make what speaks to a server as its address says; it waits `seconds` for each answer, and `connect` logs in."""
    return SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.scheme == "smtps",
        start_tls=server.scheme == "smtp+starttls",
        tls_context=tls,
        timeout=seconds,
    )


async def _envelope(client: SMTP, sender: str, recipient: str) -> None:
    """Say from whom and to whom; whatever fails here, the message was not sent."""
    options: list[str] = []
    encoding = "ascii"
    if not (sender.isascii() and recipient.isascii()):
        if not client.supports_extension("smtputf8"):
            reason = "smtputf8-unsupported"
            raise Refused(reason)
        options, encoding = ["SMTPUTF8"], "utf-8"
    try:
        await client.mail(sender, options=options, encoding=encoding)
        await client.rcpt(recipient, encoding=encoding)
    except SMTPResponseException as error:
        raise _undelivered(error.code) from error
    except (SMTPException, OSError, TimeoutError) as error:
        reason = "smtp-disconnected"
        raise Unreachable(reason) from error


async def _content(client: SMTP, content: bytes) -> None:
    try:
        await client.data(content)
    except SMTPResponseException as error:
        raise _undelivered(error.code) from error
    except (SMTPServerDisconnected, SMTPException, OSError, TimeoutError) as error:
        reason = "smtp-no-answer"
        raise InDoubt(reason) from error


def _undelivered(code: int) -> Undelivered:
    if code == NOW:
        return Unreachable(_slug(code))
    return (Deferred if code <= LAST_PASSING else Refused)(_slug(code))


def _slug(code: int) -> str:
    return f"smtp-{code}"


async def _began_anew(client: SMTP) -> bool:
    try:
        await client.rset()
    except (SMTPException, OSError, TimeoutError):
        client.close()
        return False
    return True


async def _leave(client: SMTP) -> None:
    with contextlib.suppress(SMTPException, OSError, TimeoutError):
        await asyncio.wait_for(client.quit(), 1)
