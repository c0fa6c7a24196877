"""What a request is held to before any of our code reads it: a size, a time, a pace."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from math import ceil

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Problem

LARGEST_BODY = 256 * 1024
SECONDS_TO_ANSWER = 4.2
"""Within five seconds a caller who wants something done hears that it cannot be, whatever hangs."""
MOST_ADDRESSES = 10_000
"""Addresses remembered; past that, who asked longest ago is forgotten."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods by which nothing is changed (RFC 9110, section 9.2.1)."""


class TooManyRequests(Problem):
    """One address asks faster than it may; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too-many-requests", f"Too many requests: try again in {retry_after} seconds.")
        self.retry_after = retry_after


class BodyLimit:
    """Refuses (413) a body of more than `largest` bytes, by what is announced or else by what arrives."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as long as it is not too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._largest:
            raise self._refusal()
        arrived = 0

        async def count() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._largest:
                raise self._refusal()
            return message

        await self._app(scope, count, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(413, f"The body is larger than {self._largest} bytes.")


class TimeLimit:
    """Gives up (TimeoutError) what is asked to be done, `seconds` after the last of the request that was read.

    What only reads is not held to it: a long list takes its time.
    """

    def __init__(self, app: ASGIApp, seconds: float = SECONDS_TO_ANSWER) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on for as long as it may take."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(self._seconds) as limit:

            async def read() -> Message:
                message = await receive()
                limit.reschedule(now() + self._seconds)
                return message

            await self._app(scope, read, send)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


@dataclass(slots=True, eq=False)
class RateLimit:
    """At most `per_minute` requests a minute from one address (None: any number); a dependency of public endpoints.

    A token bucket in this process's memory: a minute's worth may come at once, then one as each is earned back.
    """

    per_minute: int | None
    clock: Callable[[], datetime]
    _buckets: dict[str, _Bucket] = field(default_factory=dict, init=False)

    async def __call__(self, request: Request) -> None:
        """Count a request; raises TooManyRequests."""
        if self.per_minute is not None:
            self._take(client_address(request), self.per_minute)

    def _take(self, address: str, per_minute: int) -> None:
        now = self.clock()
        bucket = self._buckets.pop(address, None) or _Bucket(per_minute, now)
        earned = max(0.0, (now - bucket.at).total_seconds()) * per_minute / 60
        bucket.left, bucket.at = min(per_minute, bucket.left + earned), now
        self._buckets[address] = bucket  # the last to have asked stands last
        if len(self._buckets) > MOST_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        if bucket.left < 1:
            raise TooManyRequests(ceil((1 - bucket.left) * 60 / per_minute))
        bucket.left -= 1


def client_address(request: Request) -> str:
    """Tell who asks: the last hop of X-Forwarded-For, which our front door writes, else the peer.

    IPv6 addresses count by their /64, which is what one subscriber has.
    """
    peer = request.client.host if request.client else ""
    last_hop = request.headers.getlist("x-forwarded-for")[-1:] or [peer]
    text = last_hop[0].rpartition(",")[2].strip()
    try:
        address = ip_address(text)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)
