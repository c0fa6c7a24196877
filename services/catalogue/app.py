"""The catalogue put together."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

from services.catalogue import api, operations, pages
from services.catalogue.subscribers import follow
from shared.runtime import Clock, Loop, Service, application, utc_now
from shared.settings import ServiceSettings
from shared.web import problems
from shared.web.pages import Pages

SECONDS_BETWEEN_LOOKS = 60.0


def build(settings: ServiceSettings, clock: Clock = utc_now) -> FastAPI:
    """Make the service of its settings."""
    service = Service("catalogue", settings, followers=follow, clock=clock)
    service.loops.append(Loop("past-workshops", _note_past_workshops(service)))
    app = application(service)
    app.state.pages = Pages("catalogue", Path(__file__).parent)
    app.include_router(api.router, prefix="/api/catalogue")
    app.include_router(pages.router, include_in_schema=False)
    app.router.routes.append(app.state.pages.assets())
    problems.install(app, app.state.pages)
    return app


def _note_past_workshops(service: Service) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        while True:
            async with service.transaction() as tx:
                noted = await operations.hold_past(tx)
            if not noted:
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    return run
