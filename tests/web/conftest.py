"""An app that stands on the web layer alone, and a browser for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from shared.settings import Office
from shared.web import problems
from shared.web.pages import Pages

OFFICE = Office(
    name={"ca": "Oficina d'exemple", "es": "Oficina de ejemplo", "en": "Example office"}, address="office@example.cat"
)
Visit = Callable[[FastAPI], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a service, whose templates a test writes."""
    (tmp_path / "templates").mkdir()
    return tmp_path


@pytest.fixture
def pages(folder: Path) -> Pages:
    """Give the pages of that service."""
    return Pages("catalogue", folder)


@pytest.fixture
def app(pages: Pages) -> FastAPI:
    """Give an app that answers problems, has an office and a style sheet, and nothing else yet."""
    app = FastAPI()
    app.state.office = OFFICE
    app.router.routes.append(pages.assets())
    problems.install(app, pages)
    return app


@pytest.fixture
def visit() -> Visit:
    """Give what opens a client on an app; it follows no redirects and keeps cookies."""

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://convoca.test") as client:
            yield client

    return open_
