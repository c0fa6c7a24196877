"""Enrolments and the steps of their lives."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registration.domain import Attendance, State, Waiting

COLUMNS = """e.enrolment_id, e.workshop_id, e.person_id, e.organisation_id, e.attendance, e.state, e.number,
    e.sequence, e.accepted_at, e.requested_at, e.updated_at, e.reason, e.by"""
_ADD = text(
    """
    WITH added AS (
        INSERT INTO enrolments (enrolment_id, workshop_id, person_id, organisation_id, attendance, state, sequence, by,
            accepted_at, requested_at, updated_at, privacy_version, commitment_accepted, groups, request_id)
        SELECT enrolment_id, workshop_id, person_id, organisation_id, attendance, state, 1, by,
            :now, requested_at, :now, :privacy_version, commitment, string_to_array(groups, ' '), request_id
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:workshop_ids AS uuid[]), CAST(:person_ids AS uuid[]),
            CAST(:organisation_ids AS uuid[]), CAST(:attendances AS text[]), CAST(:states AS text[]),
            CAST(:actors AS text[]), CAST(:requested AS timestamptz[]), CAST(:commitments AS boolean[]),
            CAST(:groups AS text[]), CAST(:request_ids AS text[])
        ) WITH ORDINALITY AS t (enrolment_id, workshop_id, person_id, organisation_id, attendance, state, by,
            requested_at, commitment, groups, request_id, place)
        ORDER BY place
        RETURNING enrolment_id, number, state, by
    ), stepped AS (
        INSERT INTO steps (enrolment_id, sequence, at, before, after, by)
        SELECT enrolment_id, 1, :now, NULL, state, by FROM added
    )
    SELECT enrolment_id, number FROM added
    """
)
_MOVE = text(
    """
    WITH moved AS (
        UPDATE enrolments e SET state = t.state, sequence = t.sequence, by = t.by, reason = t.reason, updated_at = :now
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:states AS text[]), CAST(:actors AS text[]),
            CAST(:reasons AS text[])
        ) AS t (enrolment_id, sequence, state, by, reason)
        WHERE e.enrolment_id = t.enrolment_id
    )
    INSERT INTO steps (enrolment_id, sequence, at, before, after, by, reason)
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:times AS timestamptz[]), CAST(:before AS text[]),
        CAST(:states AS text[]), CAST(:actors AS text[]), CAST(:reasons AS text[])
    )
    """
)
_ONE = text(
    f"""
    SELECT {COLUMNS}, CASE WHEN e.state = 'waitlisted' THEN (
        SELECT count(*) FROM enrolments q WHERE q.workshop_id = e.workshop_id AND q.attendance = e.attendance
            AND q.state = 'waitlisted' AND q.number <= e.number) END AS waitlist_position
    FROM enrolments e WHERE e.enrolment_id = :id
    """  # noqa: S608 - our own words
)
_PLACE = text(
    """
    SELECT count(*) + 1 FROM enrolments
    WHERE workshop_id = :workshop_id AND attendance = :attendance AND state = 'waitlisted' AND number < :number
    """
)
_LIVE = text(
    f"""
    SELECT {COLUMNS}, NULL AS waitlist_position FROM enrolments e WHERE e.workshop_id = :id
        AND e.state IN ('pending_approval', 'confirmed', 'waitlisted', 'offered')
    ORDER BY e.number
    """  # noqa: S608
)
_QUEUE = text(
    f"""
    SELECT {COLUMNS}, NULL AS waitlist_position FROM enrolments e
    JOIN unnest(CAST(:workshop_ids AS uuid[]), CAST(:attendances AS text[])) AS t (workshop_id, attendance)
        ON e.workshop_id = t.workshop_id AND e.attendance = t.attendance
    WHERE e.state = 'waitlisted' ORDER BY e.number
    """  # noqa: S608
)
_HELD = text(
    """
    SELECT workshop_id, organisation_id, count(*) AS seats FROM enrolments
    WHERE workshop_id = ANY(CAST(:ids AS uuid[])) AND state IN ('confirmed', 'offered')
        AND organisation_id IS NOT NULL
    GROUP BY workshop_id, organisation_id
    """
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One person's part in one workshop, as it stands; `waitlist_position` only where it was asked for."""

    enrolment_id: UUID
    workshop_id: UUID
    person_id: UUID
    organisation_id: UUID | None
    attendance: Attendance
    state: State
    number: int
    sequence: int
    accepted_at: datetime
    requested_at: datetime | None
    updated_at: datetime
    reason: str | None
    by: str
    waitlist_position: int | None = None

    @property
    def waiting(self) -> Waiting:
        """What the rules need to know of one who waits."""
        return Waiting(self.enrolment_id, self.workshop_id, self.attendance, self.organisation_id, self.number)

    def moved(self, state: State, by: str, reason: str | None, now: datetime) -> Self:
        """Give this enrolment one step later."""
        return replace(
            self, state=state, by=by, reason=reason, updated_at=now, sequence=self.sequence + 1, waitlist_position=None
        )


@dataclass(frozen=True, slots=True)
class New:
    """An enrolment to be added; its number is drawn when it is."""

    enrolment_id: UUID
    workshop_id: UUID
    person_id: UUID
    organisation_id: UUID | None
    attendance: Attendance
    state: State
    by: str
    requested_at: datetime | None
    commitment_accepted: bool
    groups: tuple[str, ...]
    request_id: str | None

    def numbered(self, number: int, waitlist_position: int | None, now: datetime) -> Enrolment:
        """Give the enrolment that this became."""
        return Enrolment(
            self.enrolment_id, self.workshop_id, self.person_id, self.organisation_id, self.attendance, self.state,
            number, 1, now, self.requested_at, now, None, self.by, waitlist_position,
        )  # fmt: skip


async def add(session: AsyncSession, enrolments: Sequence[New], privacy_version: str, now: datetime) -> dict[UUID, int]:
    """Add enrolments in the order given, each with its first step; answers the number of each."""
    rows = await session.execute(
        _ADD,
        {
            "now": now,
            "privacy_version": privacy_version,
            "ids": [each.enrolment_id for each in enrolments],
            "workshop_ids": [each.workshop_id for each in enrolments],
            "person_ids": [each.person_id for each in enrolments],
            "organisation_ids": [each.organisation_id for each in enrolments],
            "attendances": [each.attendance for each in enrolments],
            "states": [each.state for each in enrolments],
            "actors": [each.by for each in enrolments],
            "requested": [each.requested_at for each in enrolments],
            "commitments": [each.commitment_accepted for each in enrolments],
            "groups": [" ".join(each.groups) for each in enrolments],
            "request_ids": [each.request_id for each in enrolments],
        },
    )
    return {row.enrolment_id: row.number for row in rows}


async def move(session: AsyncSession, moves: Sequence[tuple[Enrolment, Enrolment]], now: datetime) -> None:
    """Write down enrolments that went from one state to another, each with its step."""
    await session.execute(
        _MOVE,
        {
            "now": now,
            "ids": [after.enrolment_id for _, after in moves],
            "sequences": [after.sequence for _, after in moves],
            "times": [now] * len(moves),
            "before": [before.state for before, _ in moves],
            "states": [after.state for _, after in moves],
            "actors": [after.by for _, after in moves],
            "reasons": [after.reason for _, after in moves],
        },
    )


async def one(session: AsyncSession, enrolment_id: UUID) -> Enrolment | None:
    """Read one enrolment, with its place if it waits."""
    row = (await session.execute(_ONE, {"id": enrolment_id})).one_or_none()
    return None if row is None else enrolment_of(row)


async def place(session: AsyncSession, enrolment: Enrolment) -> int:
    """Tell which place in the queue an enrolment has, or would have if it came to wait."""
    parameters = {
        "workshop_id": enrolment.workshop_id, "attendance": enrolment.attendance, "number": enrolment.number,
    }  # fmt: skip
    return int(await session.scalar(_PLACE, parameters) or 1)


async def live(session: AsyncSession, workshop_id: UUID) -> list[Enrolment]:
    """Read those of a workshop who still may take part, first accepted first."""
    return [enrolment_of(row) for row in await session.execute(_LIVE, {"id": workshop_id})]


async def queue(session: AsyncSession, ways: Collection[tuple[UUID, Attendance]]) -> list[Enrolment]:
    """Read those who wait for these ways of attending, first accepted first."""
    if not ways:
        return []
    parameters = {"workshop_ids": [workshop for workshop, _ in ways], "attendances": [way for _, way in ways]}
    return [enrolment_of(row) for row in await session.execute(_QUEUE, parameters)]


async def held(session: AsyncSession, workshop_ids: Collection[UUID]) -> Mapping[UUID, Mapping[UUID, int]]:
    """Count the seats that each organisation holds in each of the workshops."""
    counts: dict[UUID, dict[UUID, int]] = {}
    if workshop_ids:
        for row in await session.execute(_HELD, {"ids": list(workshop_ids)}):
            counts.setdefault(row.workshop_id, {})[row.organisation_id] = row.seats
    return dict(counts)


def enrolment_of(row: Row[Any]) -> Enrolment:
    """Read an enrolment of a row that has `COLUMNS` and `waitlist_position`."""
    return Enrolment(
        row.enrolment_id,
        row.workshop_id,
        row.person_id,
        row.organisation_id,
        row.attendance,
        row.state,
        row.number,
        row.sequence,
        row.accepted_at,
        row.requested_at,
        row.updated_at,
        row.reason,
        row.by,
        row.waitlist_position,
    )
