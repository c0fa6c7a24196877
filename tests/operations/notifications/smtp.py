"""A real SMTP server on a port of its own, which a test tells what to answer."""

import asyncio
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session
from icalendar import Calendar

ACCEPTED = "250 accepted"
HANGS_UP = "hangs up after taking it"


@dataclass
class Received:
    """A mail that the server took, with the address it was for."""

    recipient: str
    message: EmailMessage

    @property
    def rule(self) -> str:
        """Tell by which rule it was sent."""
        return str(self.message["X-Convoca-Rule"])

    @property
    def text(self) -> str:
        """Give what it says as plain text."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    def calendar(self) -> bytes | None:
        """Give the calendar among the alternatives."""
        for part in self.message.walk():
            if part.get_content_type() == "text/calendar":
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                return content
        return None


@dataclass
class Mailroom:
    """What arrives, in order; `to_recipient` and `to_content` are said to the next mails, then all are accepted."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    to_recipient: list[str] = field(default_factory=list)
    to_content: list[str] = field(default_factory=list)
    connections: int = 0
    server: asyncio.Server | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or say what the test wants said."""
        del server, session, options
        if self.to_recipient and (answer := self.to_recipient.pop(0)) != ACCEPTED:
            return answer
        envelope.rcpt_tos.append(address)
        return ACCEPTED

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message, or say what the test wants said."""
        del session
        answer = self.to_content.pop(0) if self.to_content else ACCEPTED
        if answer in {ACCEPTED, HANGS_UP}:
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append(Received(envelope.rcpt_tos[0], message))
        if answer == HANGS_UP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 nobody hears this"
        return answer

    def to(self, address: str) -> list[Received]:
        """Give the mails for an address."""
        return [each for each in self.received if each.recipient == address]

    async def open(self) -> None:
        """Listen, on the port that it had before if any."""
        self.server = await asyncio.get_running_loop().create_server(partial(self._connection), "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()

    def _connection(self) -> SMTP:
        self.connections += 1
        return SMTP(self, hostname="mail.example.org", enable_SMTPUTF8=True, loop=asyncio.get_running_loop())


@asynccontextmanager
async def mailroom() -> AsyncIterator[Mailroom]:
    """Run a mail server."""
    room = Mailroom()
    await room.open()
    try:
        yield room
    finally:
        await room.close()


def event_of(calendar: bytes | None) -> tuple[str, str, int, str]:
    """Read a calendar as a mail program does: method, UID, SEQUENCE and start of its only event."""
    assert calendar is not None
    whole = Calendar.from_ical(calendar)
    (event,) = whole.walk("VEVENT")
    return str(whole["METHOD"]), str(event["UID"]), int(event.decoded("SEQUENCE")), event.decoded("DTSTART").isoformat()
