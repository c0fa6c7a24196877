"""A lean HTTP client: keep-alive over raw sockets, a request at a time on each, and no more said than needed."""

import asyncio
from dataclasses import dataclass
from typing import cast

LENGTH = b"\r\ncontent-length: "
CREATED = 201
PATH = "/api/registration/enrolments"


class Connection(asyncio.Protocol):
    """One connection; `post` sends a body and answers the status."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the one who waits know."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        """Wait for a whole answer."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(rest) >= length and self._answer is not None:
            self._received = b""
            self._answer.set_result(int(head[9:12]))

    async def post(self, body: bytes) -> int:
        """Ask to enrol; answers the status."""
        if self._transport is None:
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    """Open a connection to a service on this machine."""
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return protocol


@dataclass(frozen=True, slots=True)
class Spans:
    """Durations in seconds, and their percentiles in milliseconds."""

    seconds: list[float]

    def percentile(self, part: float) -> float:
        """Give the duration that `part` of them stay below."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000
