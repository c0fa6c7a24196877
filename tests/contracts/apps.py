"""The three services as they are put together, without what they stand on: to be asked what they say of themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from services.catalogue.app import build as build_catalogue
from services.notifications.app import build as build_notifications
from services.notifications.settings import Settings as NotificationsSettings
from services.registration.app import build as build_registration
from services.registration.settings import RegistrationSettings
from shared.settings import ServiceSettings
from tests.contracts.services import SITE

NOWHERE = {
    "CONVOCA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CONVOCA_KAFKA_SERVERS": "127.0.0.1:1",
    "CONVOCA_PUBLIC_URL": SITE,
    "CONVOCA_SECRET_KEY": "k" * 40,
    "CONVOCA_OFFICE": str(Path(__file__).parents[2] / "deploy" / "demo" / "office.yaml"),
    "CONVOCA_SMTP_URL": "smtp://127.0.0.1:1",
    "CONVOCA_MAIL_FROM": "office@example.cat",
}


def built() -> dict[str, FastAPI]:
    """Build the three."""
    return {
        "catalogue": build_catalogue(ServiceSettings.from_environment(NOWHERE)),
        "registration": build_registration(RegistrationSettings.from_environment(NOWHERE)),
        "notifications": build_notifications(NotificationsSettings.from_environment(NOWHERE)),
    }


@asynccontextmanager
async def visiting(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client on an app that has not been started: what it says of itself needs nothing."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield client
