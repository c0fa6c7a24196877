"""Registration put together."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

from services.registration import api, operations, pages
from services.registration.desk import Desk
from services.registration.settings import RegistrationSettings
from services.registration.subscribers import follow
from shared.runtime import Clock, Loop, Service, application, utc_now
from shared.web import problems
from shared.web.pages import Pages

SECONDS_BETWEEN_SWEEPS = 600.0


def build(settings: RegistrationSettings, clock: Clock = utc_now) -> FastAPI:
    """Make the service of its settings."""
    service = Service("registration", settings, followers=follow, clock=clock)
    service.loops.append(Loop("old-keys", _forget_old_keys(service)))
    app = application(service)
    app.state.desk = Desk.of(service, settings)
    app.state.pages = Pages("registration", Path(__file__).parent)
    app.include_router(api.router, prefix="/api/registration")
    app.include_router(pages.router, include_in_schema=False)
    app.router.routes.append(app.state.pages.assets())
    problems.install(app, app.state.pages)
    return app


def _forget_old_keys(service: Service) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        while True:
            async with service.transaction() as tx:
                await operations.forget_keys(tx)
            await asyncio.sleep(SECONDS_BETWEEN_SWEEPS)

    return run
