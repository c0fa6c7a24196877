"""Notices as they come to be owed, and the windows that gather many events into one mail."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils.compat as uuids
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.domain import Decision, Rule, Window
from shared.events.base import Language


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice to come; its identity is (event, rule, recipient, channel). `details` is JSON."""

    event_id: str
    rule: Rule
    recipient: str
    due_at: datetime
    workshop_id: UUID | None = None
    person_id: UUID | None = None
    enrolment_id: UUID | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    details: str = "{}"


@dataclass(frozen=True, slots=True)
class Ended:
    """A notice that has come to its end, as the bus is told of it."""

    notice_id: UUID
    event_id: str
    rule: str
    recipient: str
    correlation_id: str | None
    traceparent: str | None = None
    reason: str | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """An event that belongs in a window: `count` of them, the first of which is `event_id`."""

    subject: str
    event_id: str
    count: int


_OWE = text(
    """
    INSERT INTO notices (notice_id, event_id, rule, recipient, channel, state, workshop_id, person_id, enrolment_id,
        correlation_id, traceparent, details, due_at, created_at)
    SELECT notice_id, event_id, rule, recipient, 'email', 'owed', workshop_id, person_id, enrolment_id,
        correlation_id, traceparent, CAST(details AS jsonb), due_at, :now
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:events AS text[]), CAST(:rules AS text[]), CAST(:recipients AS text[]),
        CAST(:workshops AS uuid[]), CAST(:people AS uuid[]), CAST(:enrolments AS uuid[]),
        CAST(:correlations AS text[]), CAST(:traceparents AS text[]),
        CAST(:details AS text[]), CAST(:due AS timestamptz[])
    ) WITH ORDINALITY AS t (notice_id, event_id, rule, recipient, workshop_id, person_id, enrolment_id,
        correlation_id, traceparent, details, due_at, place)
    ORDER BY place
    ON CONFLICT ON CONSTRAINT notices_once DO NOTHING
    """
)
_OVERTAKE = text(
    """
    UPDATE notices n SET state = 'suppressed', reason = :reason
    FROM unnest(CAST(:enrolments AS uuid[]), CAST(:rules AS text[])) AS t (enrolment_id, rule)
    WHERE n.enrolment_id = t.enrolment_id AND n.rule = t.rule
        AND n.state = 'owed' AND n.claim IS NULL AND NOT n.in_doubt
    RETURNING n.notice_id, n.event_id, n.rule, n.recipient, n.correlation_id, n.traceparent, n.reason
    """
)
_GATHER = text(
    """
    INSERT INTO windows (rule, subject, opened_at, due_at, event_id, count)
    SELECT :rule, subject, :opened, :due, event_id, count
    FROM unnest(CAST(:subjects AS text[]), CAST(:events AS text[]), CAST(:counts AS integer[]))
        AS t (subject, event_id, count)
    ORDER BY subject
    ON CONFLICT (rule, subject, opened_at) DO UPDATE SET count = windows.count + excluded.count
    RETURNING subject, event_id, xmax = 0 AS opened
    """
)


async def owe(session: AsyncSession, notices: Sequence[Owed], now: datetime) -> None:
    """Write down what is owed, in order; what is owed or told already stays as it is."""
    if notices:
        await session.execute(
            _OWE,
            {
                "ids": [uuids.uuid7() for _ in notices],
                "events": [each.event_id for each in notices],
                "rules": [each.rule.value for each in notices],
                "recipients": [each.recipient for each in notices],
                "workshops": [each.workshop_id for each in notices],
                "people": [each.person_id for each in notices],
                "enrolments": [each.enrolment_id for each in notices],
                "correlations": [each.correlation_id for each in notices],
                "traceparents": [each.traceparent for each in notices],
                "details": [each.details for each in notices],
                "due": [each.due_at for each in notices],
                "now": now,
            },
        )


async def overtake(session: AsyncSession, untrue: Mapping[UUID, Collection[Rule]]) -> list[Ended]:
    """Suppress what is owed to the holders of enrolments by rules that are no longer true, unless it is on its way."""
    pairs = [(enrolment, rule) for enrolment, rules in untrue.items() for rule in rules]
    if not pairs:
        return []
    rows = await session.execute(
        _OVERTAKE,
        {
            "enrolments": [enrolment for enrolment, _ in pairs],
            "rules": [rule.value for _, rule in pairs],
            "reason": Decision.OVERTAKEN.value,
        },
    )
    return [Ended(*row) for row in rows]


async def gather(session: AsyncSession, rule: Rule, window: Window, events: Iterable[Gathered]) -> list[Gathered]:
    """Count events into the window, and answer those with which it opened: one for each such subject."""
    rows = list(events)
    result = await session.execute(
        _GATHER,
        {
            "rule": rule.value,
            "opened": window.opened_at,
            "due": window.due_at,
            "subjects": [each.subject for each in rows],
            "events": [each.event_id for each in rows],
            "counts": [each.count for each in rows],
        },
    )
    opened = {row.subject for row in result if row.opened}
    return [each for each in rows if each.subject in opened]


async def last_window(session: AsyncSession, rule: Rule, subject: str) -> Window | None:
    """Give the newest window of a subject."""
    row = (
        await session.execute(
            text(
                """
                SELECT opened_at, due_at FROM windows WHERE rule = :rule AND subject = :subject
                ORDER BY opened_at DESC LIMIT 1
                """
            ),
            {"rule": rule.value, "subject": subject},
        )
    ).one_or_none()
    return None if row is None else Window(row.opened_at, row.due_at)
