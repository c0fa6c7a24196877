"""Notices as they are sent: claimed before SMTP hears of them, and marked afterwards."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.notifications.domain import Entries, Entry
from services.notifications.repository.owing import Ended
from shared.events.base import Language

PRESENCE = 7_243_005
"""The class of the advisory locks by which the senders that live are known."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that is ours to send, with the newest of all it may speak of; JSON as the database holds it."""

    notice_id: UUID
    event_id: str
    rule: str
    recipient: str
    correlation_id: str | None
    traceparent: str | None
    workshop_id: UUID | None
    enrolment_id: UUID | None
    details: str
    attempts: int
    in_doubt: bool
    created_at: datetime
    due_at: datetime
    name: str | None
    email: str | None
    language: str | None
    attendance: str | None
    enrolment_state: str | None
    waitlist_position: int | None
    calendar: str | None
    workshop: str | None
    joining: str | None
    available: str | None
    count: int | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What to write on a claimed notice: `state` owed lets it go until `due_at`, any other ends it."""

    notice_id: UUID
    state: Literal["owed", "sent", "suppressed", "failed", "uncertain"]
    due_at: datetime
    reason: str | None = None
    language: Language | None = None
    sent_at: datetime | None = None
    in_doubt: bool = False
    tried: bool = True
    calendar: Entries | None = None
    """What the holder's calendar has been told, where it was told anything."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A notice whose sender is no more; `in_doubt` when it had been one before."""

    notice_id: UUID
    in_doubt: bool


_CLAIM = """
    WITH due AS (
        SELECT notice_id FROM notices n
        WHERE state = 'owed' AND claim IS NULL AND due_at <= :now AND NOT EXISTS (
            SELECT 1 FROM notices earlier WHERE earlier.enrolment_id = n.enrolment_id
                AND earlier.state = 'owed' AND earlier.ordinal < n.ordinal)
        ORDER BY due_at, ordinal LIMIT {limit} FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE notices n SET claim = :claim, sending_since = :now, attempts = n.attempts + 1
        FROM due WHERE n.notice_id = due.notice_id RETURNING n.*
    )
    SELECT c.notice_id, c.event_id, c.rule, c.recipient, c.correlation_id, c.traceparent, c.workshop_id, c.enrolment_id,
        CAST(c.details AS text) AS details, c.attempts, c.in_doubt, c.created_at, c.due_at, p.name, p.email, p.language,
        e.attendance, e.state AS enrolment_state, e.waitlist_position, CAST(e.calendar AS text) AS calendar,
        CAST(w.data AS text) AS workshop, CAST(j.data AS text) AS joining, CAST(s.available AS text) AS available,
        g.count, g.opened_at AS since
    FROM claimed c
        LEFT JOIN people p ON p.person_id = c.person_id
        LEFT JOIN enrolments e ON e.enrolment_id = c.enrolment_id
        LEFT JOIN workshops w ON w.workshop_id = c.workshop_id
        LEFT JOIN joining j ON j.workshop_id = c.workshop_id
        LEFT JOIN seats s ON s.workshop_id = c.workshop_id
        LEFT JOIN windows g ON g.event_id = c.event_id AND g.rule = c.rule
    ORDER BY c.ordinal
"""
_MARK = text(
    """
    WITH told AS (
        UPDATE enrolments e SET calendar = CAST(t.calendar AS jsonb)
        FROM unnest(CAST(:ids AS uuid[]), CAST(:calendars AS text[])) AS t (notice_id, calendar)
            JOIN notices n ON n.notice_id = t.notice_id AND n.claim = :claim
        WHERE e.enrolment_id = n.enrolment_id AND t.calendar IS NOT NULL
    )
    UPDATE notices n SET state = t.state, reason = t.reason, language = t.language, due_at = t.due_at,
        sent_at = t.sent_at, in_doubt = t.in_doubt, claim = NULL,
        attempts = n.attempts - CASE WHEN t.tried THEN 0 ELSE 1 END
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:languages AS text[]),
        CAST(:due AS timestamptz[]), CAST(:sent AS timestamptz[]), CAST(:doubts AS boolean[]),
        CAST(:tried AS boolean[])
    ) AS t (notice_id, state, reason, language, due_at, sent_at, in_doubt, tried)
    WHERE n.notice_id = t.notice_id AND n.claim = :claim
    RETURNING n.notice_id, n.event_id, n.rule, n.recipient, n.correlation_id, n.traceparent, n.reason, n.language,
        n.state
    """
)
_ORPHANS = text(
    """
    SELECT notice_id, in_doubt FROM notices
    WHERE claim IS NOT NULL AND claim <> :claim AND claim NOT IN (
        SELECT CAST(objid AS bigint) FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2 AND classid = :presence AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY notice_id FOR UPDATE SKIP LOCKED
    """
)


async def announce(connection: AsyncConnection, claim: int) -> bool:
    """Show that a sender lives, for as long as the connection does; False where another goes by that number."""
    return bool(
        await connection.scalar(
            text("SELECT pg_try_advisory_lock(:presence, :claim)"), {"presence": PRESENCE, "claim": claim}
        )
    )


async def claim_due(session: AsyncSession, claim: int, limit: int, now: datetime) -> list[Claimed]:
    """Claim the `limit` notices that are due the longest; of one enrolment only the first that is owed."""
    rows = await session.execute(_claiming(limit), {"claim": claim, "now": now})
    return [Claimed(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it


@cache
def _claiming(limit: int) -> TextClause:
    # The number stands in the statement, or PostgreSQL plans for a tenth of a backlog and reads whole tables for it.
    return text(_CLAIM.format(limit=int(limit)))


async def mark(session: AsyncSession, claim: int, marks: Sequence[Mark]) -> list[tuple[str, Ended]]:
    """Write what became of notices that this sender still holds; answers (state, notice) of each that it wrote."""
    if not marks:
        return []
    ordered = sorted(marks, key=lambda each: each.notice_id)
    rows = await session.execute(
        _MARK,
        {
            "claim": claim,
            "ids": [each.notice_id for each in ordered],
            "states": [each.state for each in ordered],
            "reasons": [each.reason for each in ordered],
            "languages": [each.language for each in ordered],
            "due": [each.due_at for each in ordered],
            "sent": [each.sent_at for each in ordered],
            "doubts": [each.in_doubt for each in ordered],
            "tried": [each.tried for each in ordered],
            "calendars": [_dump(each.calendar) if each.calendar else None for each in ordered],
        },
    )
    return [(row.state, Ended(*row[:-1])) for row in rows]


async def adopt_orphans(session: AsyncSession, claim: int) -> list[Orphan]:
    """Take over what senders that are no more had claimed."""
    orphans = [Orphan(*row) for row in await session.execute(_ORPHANS, {"claim": claim, "presence": PRESENCE})]
    if orphans:
        await session.execute(
            text("UPDATE notices SET claim = :claim WHERE notice_id = ANY(CAST(:ids AS uuid[]))"),
            {"claim": claim, "ids": [each.notice_id for each in orphans]},
        )
    return orphans


async def claimed_besides(session: AsyncSession, claim: int, in_flight: Collection[UUID]) -> list[UUID]:
    """Give what is claimed by this sender though it does not know of it: a commit whose answer was lost."""
    rows = await session.scalars(
        text("SELECT notice_id FROM notices WHERE claim = :claim AND notice_id <> ALL(CAST(:ids AS uuid[]))"),
        {"claim": claim, "ids": list(in_flight)},
    )
    return list(rows)


def read_calendar(calendar: str | None) -> Entries:
    """Read what `mark` kept."""
    return {int(number): Entry(**entry) for number, entry in json.loads(calendar or "{}").items()}


def _dump(entries: Entries) -> str:
    return json.dumps(
        {
            number: {
                "sequence": entry.sequence,
                "starts_at": entry.starts_at,
                "ends_at": entry.ends_at,
                "timezone": entry.timezone,
                "where": entry.where,
                "cancelled": entry.cancelled,
            }
            for number, entry in entries.items()
        }
    )
