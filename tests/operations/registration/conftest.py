"""A registration database, and words in which tests speak of workshops and requests."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio
import uuid_utils.compat as uuids
from fastapi import FastAPI
from sqlalchemy import text

from services.registration import operations
from services.registration.app import build
from services.registration.operations import Accepted, Outcome, Request
from services.registration.settings import RegistrationSettings
from shared.database import Database
from shared.errors import Problem
from shared.events.catalogue import Session, Terms, WorkshopScheduled
from shared.events.registration import EnrolmentForm, Organisation, Person
from shared.web import tokens
from tests.clock import HandClock
from tests.conftest import MakeUrl

API = "/api/registration"
OFFICE = Path(__file__).parents[3] / "deploy" / "demo" / "office.yaml"
START = datetime(2027, 4, 10, 9, tzinfo=UTC)


def workshop(**changes: Any) -> WorkshopScheduled:  # noqa: ANN401 - any field of a workshop
    """Make the fact of a workshop: two seats in person, unless said otherwise."""
    number = changes.pop("workshop_id", None) or uuids.uuid7()
    session = Session(starts_at=START, ends_at=START + timedelta(hours=1), timezone="Europe/Madrid", mode="in_person")
    fields: dict[str, Any] = {
        "workshop_id": number,
        "slug": f"taller-{number}",
        "state": "scheduled",
        "kind": "workshop",
        "title": {"ca": "Taller"},
        "seats": {"in_person": 2},
        "sessions": (session,),
        "registration": Terms(),
    }
    return WorkshopScheduled(**(fields | changes))


def form(name: str, city: str | None = None, **changes: Any) -> EnrolmentForm:  # noqa: ANN401
    """Make what `name` fills in, for the council of `city` if one is given."""
    fields: dict[str, Any] = {
        "attendance": "in_person",
        "person": changes.get("person") or Person(name=name, email=f"{name}@example.org"),
        "organisation": city and Organisation(name=city, kind="city", country="ES"),
        "accepts": ("privacy",),
    }
    return EnrolmentForm(**(fields | changes))


@dataclass
class Desk:
    """Registration's operations, each in a transaction of its own."""

    database: Database
    clock: HandClock
    sequences: dict[UUID, int] = field(default_factory=dict)

    async def keep(self, fact: WorkshopScheduled) -> UUID:
        """Let the catalogue tell of a workshop; each time it is newer."""
        self.sequences[fact.workshop_id] = self.sequences.get(fact.workshop_id, 0) + 1
        async with self.database.transaction(self.clock()) as tx:
            await operations.keep_workshop(tx, fact, self.sequences[fact.workshop_id])
        return fact.workshop_id

    async def enrol(self, workshop_id: UUID, *forms: EnrolmentForm) -> list[Outcome]:
        """Ask for seats, in one batch."""
        async with self.database.transaction(self.clock()) as tx:
            return await operations.enrol(tx, [Request(workshop_id, each) for each in forms])

    async def enrolled(self, workshop_id: UUID, *names: str, city: str | None = None) -> list[UUID]:
        """Enrol people, all of whom are accepted; answers their enrolments."""
        outcomes = await self.enrol(workshop_id, *(form(name, city) for name in names))
        return [accepted(outcome).enrolment_id for outcome in outcomes]

    async def withdraw(self, enrolment_id: UUID) -> None:
        """Give up a place."""
        async with self.database.transaction(self.clock()) as tx:
            await operations.withdraw(tx, enrolment_id, "participant")

    async def states(self, workshop_id: UUID) -> dict[str, str]:
        """Tell what everybody is in a workshop, by name."""
        rows = await self.rows(
            "SELECT p.name, e.state FROM enrolments e JOIN people p USING (person_id) WHERE workshop_id = :id "
            "ORDER BY e.number",
            id=workshop_id,
        )
        return {row["name"]: row["state"] for row in rows}

    async def seats(self, workshop_id: UUID) -> Mapping[str, Any]:
        """Tell the counts of the only way of attending."""
        return (await self.rows("SELECT * FROM seats WHERE workshop_id = :id", id=workshop_id))[0]

    async def told(self, *types: str) -> list[Mapping[str, Any]]:
        """Give what was said of these types: data with the sequence, oldest first."""
        return await self.rows(
            """
            SELECT type, convert_from(payload, 'UTF8')::jsonb AS data, convert_from(headers, 'UTF8')::jsonb AS headers
            FROM outbox WHERE type = ANY(CAST(:types AS text[])) ORDER BY id
            """,
            types=list(types),
        )

    async def rows(self, query: str, **parameters: object) -> list[Mapping[str, Any]]:
        """Look into the tables."""
        async with self.database.transaction(self.clock()) as tx:
            return [dict(row) for row in (await tx.session.execute(text(query), parameters)).mappings()]


def accepted(outcome: Outcome) -> Accepted:
    """Expect that a request was accepted."""
    assert isinstance(outcome, Accepted), outcome
    return outcome


def refused(outcome: Outcome) -> str:
    """Expect that a request was refused; answers why."""
    assert isinstance(outcome, Problem), outcome
    return outcome.slug


def got(outcomes: Sequence[Outcome]) -> list[tuple[str, int | None]]:
    """Tell what accepted requests got: state and place."""
    return [(accepted(one).state, accepted(one).waitlist_position) for one in outcomes]


@pytest_asyncio.fixture
async def url(database_url: MakeUrl) -> str:
    """Give the address of an empty database of registration."""
    return await database_url("registration")


@pytest_asyncio.fixture
async def desk(url: str, clock: HandClock) -> AsyncIterator[Desk]:
    """Give registration's operations on that database."""
    database = Database(url, "registration")
    yield Desk(database, clock)
    await database.close()


def app_of(url: str, clock: HandClock, **settings: str) -> FastAPI:
    """Build the service without what runs beside its HTTP."""
    fields = {
        "database_url": url,
        "kafka_servers": "127.0.0.1:1",
        "public_url": "http://convoca.test/",
        "secret_key": "k" * 40,
        "office": OFFICE,
        "rate_limit": "off",
    }
    return build(RegistrationSettings.model_validate(fields | settings), clock)


@pytest_asyncio.fixture
async def client(url: str, clock: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the service that shows nothing of itself; staff there are called rosa."""
    app = app_of(url, clock)
    async with app.state.service.transaction() as tx:
        await tokens.create(tx.session, "rosa", "staff", "of-staff", clock(), days=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://convoca.test") as client:
        yield client
    await app.state.service.database.close()


def body(place: UUID, name: str = "ada", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Make what one posts to enrol."""
    return {
        "workshop_id": str(place),
        "attendance": "in_person",
        "person": {"name": name, "email": f"{name}@example.org", "language": "ca"},
        "accepts": ["privacy"],
    } | changes
