"""Redirects: within this site they name neither scheme nor host, which only the front door knows."""

import pytest
from fastapi import FastAPI
from starlette.responses import RedirectResponse

from tests.web.conftest import Visit

ELSEWHERE = "https://other.example/y?z=1"


@pytest.fixture
def serving(app: FastAPI) -> FastAPI:
    @app.get("/workshops")
    async def shown() -> None: ...

    @app.get("/out")
    async def out() -> RedirectResponse:
        return RedirectResponse(ELSEWHERE)

    @app.get("/{anything:path}/end")
    async def ended(anything: str) -> None: ...

    return app


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("/workshops/", "/workshops"),
        ("/workshops/?q=caf%C3%A9&lang=ca", "/workshops?q=caf%C3%A9&lang=ca"),
        ("//evil.example/end/", "/evil.example/end"),
        ("/out", ELSEWHERE),
    ],
)
async def test_a_redirect_within_the_site_is_relative(serving: FastAPI, visit: Visit, asked: str, told: str) -> None:
    async with visit(serving) as client:
        answer = await client.get(f"http://convoca.example{asked}", headers={"X-Forwarded-Proto": "https"})
    assert (answer.status_code, answer.headers["location"]) == (307, told)
