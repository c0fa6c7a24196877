"""What a request is held to: its name, its size, its time, its pace."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from shared.observability import origin
from shared.web.limits import (
    LARGEST_BODY,
    MOST_ADDRESSES,
    RateLimit,
    TimeLimit,
    TooManyRequests,
    client_address,
)
from tests.clock import HandClock
from tests.web.conftest import Visit

JSON = {"content-type": "application/json"}


def request_from(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.fixture
def taking(app: FastAPI) -> FastAPI:
    @app.post("/api/registration/x")
    async def take(request: Request) -> dict[str, object]:
        return {"size": len(await request.body()), "correlation_id": origin().correlation_id}

    return app


async def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not(taking: FastAPI, visit: Visit) -> None:
    async with visit(taking) as client:
        just = await client.post("/api/registration/x", content=b"x" * LARGEST_BODY)
        more = await client.post("/api/registration/x", content=b"x" * (LARGEST_BODY + 1))
    assert just.json()["size"] == LARGEST_BODY
    assert (more.status_code, more.json()["type"].rpartition(":")[2]) == (413, "too-large")


@pytest.mark.parametrize("parsed", [False, True])
async def test_a_body_that_does_not_say_its_size_is_counted(taking: FastAPI, visit: Visit, *, parsed: bool) -> None:
    @taking.post("/api/registration/parsed")
    async def parse(body: dict[str, str]) -> None: ...

    async def endless() -> AsyncIterator[bytes]:
        yield b'{"a": "'
        for _ in range(40):
            yield b"x" * 16_384

    async with visit(taking) as client:
        address = "/api/registration/parsed" if parsed else "/api/registration/x"
        answer = await client.post(address, content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (413, "too-large")


async def nothing() -> Message:
    return {"type": "http.request"}


async def nowhere(_message: Message) -> None: ...


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_what_is_to_be_done_and_hangs_is_given_up(method: str) -> None:
    async def hang(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await TimeLimit(hang, seconds=0.01)({"type": "http", "method": method}, nothing, nowhere)


async def test_what_only_reads_may_take_its_time() -> None:
    read = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, _send: Send) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        read.set()

    await TimeLimit(slow, seconds=0)({"type": "http", "method": "GET"}, nothing, nowhere)
    assert read.is_set()


def test_every_app_gives_up_what_hangs(app: FastAPI) -> None:
    assert TimeLimit.__name__ in {getattr(each.cls, "__name__", "") for each in app.user_middleware}


async def test_a_request_keeps_the_name_that_its_caller_gave_it(taking: FastAPI, visit: Visit) -> None:
    async with visit(taking) as client:
        answer = await client.post("/api/registration/x", headers={"X-Correlation-Id": "order-66"})
    assert answer.headers["x-correlation-id"] == answer.json()["correlation_id"] == "order-66"


@pytest.mark.parametrize("given", ["", "a b", "x" * 101, '"}{"level":"error'])
async def test_a_request_without_a_sane_name_is_given_one(taking: FastAPI, visit: Visit, given: str) -> None:
    async with visit(taking) as client:
        headers = {"X-Correlation-Id": given}
        names = [(await client.post("/api/registration/x", headers=headers)).json()["correlation_id"] for _ in "ab"]
    assert given not in names
    assert len(set(names)) == 2


async def test_an_address_may_ask_so_often_a_minute_and_then_waits(
    app: FastAPI, visit: Visit, clock: HandClock
) -> None:
    limit = RateLimit(3, clock)

    @app.post("/api/registration/x")
    async def take(_: Annotated[None, Depends(limit)]) -> None: ...

    async with visit(app) as client:
        answers = [await client.post("/api/registration/x") for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["type"].rpartition(":")[2] == "too-many-requests"
        wait = int(answers[-1].headers["retry-after"])
        clock.forward(timedelta(seconds=wait - 1))
        assert (await client.post("/api/registration/x")).status_code == 429
        clock.forward(timedelta(seconds=1))
        assert (await client.post("/api/registration/x")).status_code == 200


async def test_addresses_do_not_wait_for_each_other(clock: HandClock) -> None:
    limit = RateLimit(1, clock)
    for address in ("192.0.2.1", "192.0.2.2"):
        await limit(request_from("127.0.0.1", address))
    with pytest.raises(TooManyRequests):
        await limit(request_from("127.0.0.1", "192.0.2.1"))


async def test_where_it_is_off_nobody_waits(clock: HandClock) -> None:
    limit = RateLimit(None, clock)
    for _ in range(1000):
        await limit(request_from("192.0.2.1"))


async def test_memory_does_not_grow_with_the_addresses_that_ask(clock: HandClock) -> None:
    limit = RateLimit(1, clock)
    for number in range(MOST_ADDRESSES + 50):
        await limit(request_from(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    assert len(limit._buckets) == MOST_ADDRESSES  # noqa: SLF001 - what the test is about


@given(st.lists(st.floats(0, 90), max_size=60))
async def test_in_no_minute_does_an_address_get_more_than_twice_its_due(pauses: list[float]) -> None:
    clock = HandClock()
    limit, taken = RateLimit(5, clock), []
    for pause in pauses:
        clock.forward(timedelta(seconds=pause))
        try:
            await limit(request_from("192.0.2.1"))
        except TooManyRequests:
            continue
        taken.append(clock.now)
    for start in taken:
        assert sum(start <= at < start + timedelta(minutes=1) for at in taken) <= 2 * 5


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.9", (), "192.0.2.9"),
        ("127.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("127.0.0.1", ("203.0.113.7, 192.0.2.1",), "192.0.2.1"),
        ("127.0.0.1", ("203.0.113.7", "192.0.2.1"), "192.0.2.1"),
        ("127.0.0.1", ("unknown",), "127.0.0.1"),
        ("127.0.0.1", ("2001:db8:1:2:3:4:5:6",), "2001:db8:1:2::"),
        ("127.0.0.1", ("2001:db8:1:2:aaaa::1",), "2001:db8:1:2::"),
    ],
)
def test_who_asks_is_whom_the_front_door_saw_last(peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert client_address(request_from(peer, *forwarded)) == address
