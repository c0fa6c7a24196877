"""A catalogue database, and words in which tests speak of workshops."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from sqlalchemy import text

from services.catalogue import operations
from services.catalogue.operations import Statement
from services.catalogue.repository import Criteria
from services.catalogue.tables import Workshop
from shared.database import Database
from shared.events.catalogue import OutsideWorkshopScheduled, SessionWithLink, WorkshopContent
from tests.clock import HandClock
from tests.conftest import MakeDatabase

START = datetime(2027, 4, 10, 7, tzinfo=UTC)
SECRET = "https://meet.example.org/only-for-those-who-come"


def session(**changes: Any) -> SessionWithLink:  # noqa: ANN401 - any field of a session
    """Make an hour online in Copenhagen, unless said otherwise."""
    fields: dict[str, Any] = {
        "starts_at": START,
        "ends_at": START + timedelta(hours=1),
        "timezone": "Europe/Copenhagen",
        "mode": "online",
        "join_url": SECRET,
    }
    return SessionWithLink(**(fields | changes))


def content(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a workshop
    """Give what a workshop says apart from its sessions."""
    fields: dict[str, Any] = {"kind": "workshop", "title": {"ca": "Etapa d'habilitació"}, "seats": {"online": 25}}
    return fields | changes


def statement(*sessions: SessionWithLink, **changes: Any) -> Statement:  # noqa: ANN401
    """Make what staff state."""
    return Statement.of(WorkshopContent(**content(**changes)), sessions or [session()])


def outside(*sessions: SessionWithLink, external_id: str = "enabling", **changes: Any) -> OutsideWorkshopScheduled:  # noqa: ANN401
    """Make what an outside system states."""
    return OutsideWorkshopScheduled(external_id=external_id, sessions=sessions or (session(),), **content(**changes))


@dataclass(frozen=True)
class Desk:
    """The catalogue's operations, each in a transaction of its own."""

    database: Database
    clock: HandClock

    async def draft(self, *sessions: SessionWithLink, **changes: Any) -> Workshop:  # noqa: ANN401
        """Make a draft."""
        async with self.database.transaction(self.clock()) as tx:
            return await operations.create(tx, statement(*sessions, **changes))

    async def scheduled(self, *sessions: SessionWithLink, **changes: Any) -> Workshop:  # noqa: ANN401
        """Put a workshop on offer."""
        row = await self.draft(*sessions, **changes)
        async with self.database.transaction(self.clock()) as tx:
            return await operations.schedule(tx, row.workshop_id)

    async def reschedule(self, key: UUID | str, *sessions: SessionWithLink) -> Workshop:
        """Give a workshop other sessions."""
        async with self.database.transaction(self.clock()) as tx:
            return await operations.reschedule(tx, key, sessions)

    async def cancel(self, key: UUID | str) -> Workshop:
        """Call a workshop off."""
        async with self.database.transaction(self.clock()) as tx:
            return await operations.cancel(tx, key, {"ca": "Pluja"})

    async def take(
        self, event: OutsideWorkshopScheduled, publisher: str = "demo-cms", sequence: int | None = None
    ) -> Workshop:
        """Take what an outside system states."""
        async with self.database.transaction(self.clock()) as tx:
            return await operations.take_outside(tx, publisher, event, sequence)

    async def found(self, **criteria: Any) -> list[str]:  # noqa: ANN401 - any criterion
        """Search, and give the titles found."""
        async with self.database.transaction(self.clock()) as tx:
            rows = await operations.search(tx, Criteria(**criteria), None, 100)
        return [row.content.title["ca"] for row in rows]

    async def told(self) -> list[Mapping[str, Any]]:
        """Give all that was said, oldest first."""
        return await self.rows(
            """
            SELECT topic, type, convert_from(key, 'UTF8') AS key, convert_from(payload, 'UTF8')::jsonb AS data,
                (SELECT value->>1 FROM jsonb_array_elements(convert_from(headers, 'UTF8')::jsonb)
                 WHERE value->>0 = 'ce_sequence') AS sequence
            FROM outbox ORDER BY id
            """
        )

    async def types(self) -> list[str]:
        """Give what happened to workshops, oldest first."""
        return [each["type"] for each in await self.told() if each["topic"] == "catalogue.workshops"]

    async def rows(self, query: str, **parameters: object) -> list[Mapping[str, Any]]:
        """Look into the tables."""
        async with self.database.transaction(self.clock()) as tx:
            return [dict(row) for row in (await tx.session.execute(text(query), parameters)).mappings()]


@pytest_asyncio.fixture
async def desk(database: MakeDatabase, clock: HandClock) -> Desk:
    """Give the catalogue's operations on an empty database."""
    return Desk(await database("catalogue"), clock)
