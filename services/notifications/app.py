"""The composition root: every part is made and joined here."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

from services.notifications import api
from services.notifications.clients import SmtpPost
from services.notifications.operations.owe import Office
from services.notifications.rendering.letter import Paper
from services.notifications.repository import depths
from services.notifications.sender import Sender
from services.notifications.settings import Settings
from services.notifications.subscribers import followers
from shared.runtime import Clock, Loop, Service, application, utc_now
from shared.settings import read_office
from shared.web import problems
from shared.web.pages import Pages
from shared.web.tokens import Links


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the service's app; its lifespan starts and stops the consumers, the relay and the sender."""
    office = read_office(settings.office)
    woken = asyncio.Event()
    told = Office(staff=tuple(each.name for each in office.staff), wake=woken.set)
    service = Service("notifications", settings, followers=followers(told), clock=clock)
    pages = Pages("notifications", Path(__file__).parent)
    paper = Paper(office, settings.mail_from.email, str(settings.public_url).rstrip("/"), Links(settings.secret_keys))
    sender = Sender(service.database, clock, SmtpPost(settings.smtp), paper, pages.catalogues, woken)
    service.loops.append(Loop("sender", sender.run))
    service.watch_database("notices", depths.read, depths.GAUGES)
    app = application(service)
    app.state.pages = pages
    app.include_router(api.router, prefix="/api/notifications")
    app.router.routes.append(pages.assets())
    problems.install(app, pages)
    return app
