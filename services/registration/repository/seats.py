"""Seats per workshop and way of attending: locked, counted, changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registration.domain import Attendance, Way

_COLUMNS = "workshop_id, attendance, on_offer, capacity, confirmed, offered, waitlisted, sequence"
_LOCK = text(
    f"""
    SELECT {_COLUMNS} FROM seats WHERE workshop_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY workshop_id, attendance FOR UPDATE
    """  # noqa: S608 - our own words
)
_READ = text(f"SELECT {_COLUMNS} FROM seats WHERE workshop_id = :id ORDER BY attendance")  # noqa: S608
_CHANGE = text(
    """
    UPDATE seats s SET
        confirmed = s.confirmed + t.confirmed, offered = s.offered + t.offered,
        waitlisted = s.waitlisted + t.waitlisted,
        ceiling = CASE WHEN s.capacity IS NOT NULL THEN
            GREATEST(s.capacity, LEAST(s.ceiling, s.confirmed + s.offered + t.confirmed + t.offered)) END,
        sequence = s.sequence + 1
    FROM unnest(
        CAST(:workshop_ids AS uuid[]), CAST(:attendances AS text[]),
        CAST(:confirmed AS integer[]), CAST(:offered AS integer[]), CAST(:waitlisted AS integer[])
    ) AS t (workshop_id, attendance, confirmed, offered, waitlisted)
    WHERE s.workshop_id = t.workshop_id AND s.attendance = t.attendance
    """
)
_PROVIDE = text(
    """
    INSERT INTO seats AS s (workshop_id, attendance, on_offer, capacity, ceiling, sequence)
    SELECT :id, attendance, on_offer, capacity, capacity, :sequence
    FROM unnest(CAST(:attendances AS text[]), CAST(:on_offer AS boolean[]), CAST(:capacities AS integer[]))
        AS t (attendance, on_offer, capacity)
    ON CONFLICT (workshop_id, attendance) DO UPDATE SET on_offer = excluded.on_offer, capacity = excluded.capacity,
        ceiling = CASE WHEN excluded.capacity IS NOT NULL THEN GREATEST(excluded.capacity, s.confirmed + s.offered) END,
        sequence = excluded.sequence
    """
)


@dataclass(frozen=True, slots=True)
class Count:
    """Seats of one way of attending; `on_offer` is false once the workshop has it no more."""

    on_offer: bool
    capacity: int | None
    confirmed: int
    offered: int
    waitlisted: int
    sequence: int

    @property
    def way(self) -> Way:
        """What the rules need to know of it."""
        return Way(self.capacity, self.confirmed + self.offered, self.waitlisted)


@dataclass(frozen=True, slots=True)
class Change:
    """How many more (or fewer) are in each state that the seats count."""

    confirmed: int = 0
    offered: int = 0
    waitlisted: int = 0


Counts = Mapping[Attendance, Count]


async def lock(session: AsyncSession, workshop_ids: Collection[UUID]) -> dict[UUID, Counts]:
    """Lock the seats of workshops, always in the same order, until the transaction ends."""
    return _by_workshop((await session.execute(_LOCK, {"ids": list(workshop_ids)})).all())


async def read(session: AsyncSession, workshop_id: UUID) -> Counts:
    """Read the seats of one workshop; empty where it is not known."""
    return _by_workshop((await session.execute(_READ, {"id": workshop_id})).all()).get(workshop_id, {})


async def change(session: AsyncSession, changes: Mapping[tuple[UUID, Attendance], Change]) -> None:
    """Count in what has changed; the database refuses what would oversell. The rows are locked by now."""
    await session.execute(
        _CHANGE,
        {
            "workshop_ids": [workshop_id for workshop_id, _ in changes],
            "attendances": [attendance for _, attendance in changes],
            "confirmed": [each.confirmed for each in changes.values()],
            "offered": [each.offered for each in changes.values()],
            "waitlisted": [each.waitlisted for each in changes.values()],
        },
    )


async def provide(
    session: AsyncSession,
    workshop_id: UUID,
    offer: Mapping[Attendance, int | None],
    gone: Collection[Attendance],
    sequence: int,
) -> None:
    """Set how many seats there are; `gone` are ways no longer on offer. Nobody loses a seat by it."""
    await session.execute(
        _PROVIDE,
        {
            "id": workshop_id,
            "sequence": sequence,
            "attendances": [*offer, *gone],
            "on_offer": [True] * len(offer) + [False] * len(gone),
            "capacities": [*offer.values(), *[0] * len(gone)],
        },
    )


def _by_workshop(rows: Collection[Row[Any]]) -> dict[UUID, Counts]:
    found: dict[UUID, dict[Attendance, Count]] = {}
    for row in rows:
        found.setdefault(row.workshop_id, {})[row.attendance] = Count(
            row.on_offer, row.capacity, row.confirmed, row.offered, row.waitlisted, row.sequence
        )
    return dict(found)
