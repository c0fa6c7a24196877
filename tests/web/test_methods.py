"""Methods that an address knows, and those that it does not."""

import pytest
from fastapi import FastAPI

from tests.web.conftest import Visit


@pytest.fixture
def serving(app: FastAPI) -> FastAPI:
    @app.get("/api/catalogue/x")
    async def show() -> dict[str, int]:
        return {"seats": 7}

    @app.post("/api/catalogue/x")
    async def change() -> None: ...

    return app


async def test_head_is_answered_as_get_is_without_the_content(serving: FastAPI, visit: Visit) -> None:
    async with visit(serving) as client:
        shown = await client.get("/api/catalogue/x")
        asked = await client.head("/api/catalogue/x")
        missing = await client.head("/api/catalogue/y")
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert asked.headers[name] == shown.headers[name]
    assert (missing.status_code, missing.content) == (404, b"")


async def test_who_asks_by_another_method_is_told_all_that_are_known(serving: FastAPI, visit: Visit) -> None:
    async with visit(serving) as client:
        answer = await client.delete("/api/catalogue/x")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.json()["type"].endswith(":method-not-allowed")
