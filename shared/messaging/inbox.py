"""What each consumer has taken: an event has its effect once, however often it comes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

State = Literal["accepted", "done", "waiting", "refused", "stale", "dead-lettered"]
PLACE = "kafka:"
"""Begins the source of what is known only by where it lay."""


class Identity(NamedTuple):
    """What makes an event the same event wherever it comes from (CloudEvents 1.0, `source` + `id`)."""

    source: str
    id: str

    @property
    def of_a_place(self) -> bool:
        """Tell whether it is only where a record lay, because nothing that the record says of itself can be trusted."""
        return self.source.startswith(PLACE)


class Outcome(NamedTuple):
    """What became of an event for one consumer, and why."""

    identity: Identity
    state: State
    detail: str | None = None


_ADMIT = text(
    """
    INSERT INTO inbox (consumer, source, id, at, outcome)
    SELECT :consumer, source, id, :now, 'done'
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS t (source, id)
    ON CONFLICT DO NOTHING
    RETURNING source, id
    """
)
_NOTE = text(
    """
    UPDATE inbox SET outcome = t.outcome, detail = t.detail
    FROM unnest(
        CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:outcomes AS text[]), CAST(:details AS text[])
    ) AS t (source, id, outcome, detail)
    WHERE inbox.consumer = :consumer AND inbox.source = t.source AND inbox.id = t.id
    """
)


_READMIT = text(
    """
    INSERT INTO inbox AS i (consumer, source, id, at, outcome) VALUES (:consumer, :source, :id, :now, 'done')
    ON CONFLICT (consumer, source, id) DO UPDATE SET outcome = 'done', detail = NULL
    WHERE i.outcome IN ('accepted', 'waiting')
    RETURNING i.id
    """
)


async def admit(session: AsyncSession, consumer: str, identities: Iterable[Identity], now: datetime) -> set[Identity]:
    """Write down those that `consumer` has not taken yet, as done, and answer them; this comes before any effect."""
    wanted = sorted(set(identities))  # in one order everywhere: two consumers must not wait for each other
    rows = await session.execute(
        _ADMIT,
        {
            "consumer": consumer,
            "sources": [each.source for each in wanted],
            "ids": [each.id for each in wanted],
            "now": now,
        },
    )
    return {Identity(source, id_) for source, id_ in rows}


async def readmit(session: AsyncSession, consumer: str, identity: Identity, now: datetime) -> bool:
    """Write down as done one that has waited, before its effect; false where its effect was had meanwhile."""
    return await session.scalar(_READMIT, {"consumer": consumer, "now": now, **identity._asdict()}) is not None


async def note(session: AsyncSession, consumer: str, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of events that were admitted and are not simply done."""
    if outcomes:
        await session.execute(
            _NOTE,
            {
                "consumer": consumer,
                "sources": [each.identity.source for each in outcomes],
                "ids": [each.identity.id for each in outcomes],
                "outcomes": [each.state for each in outcomes],
                "details": [each.detail for each in outcomes],
            },
        )


async def outcome_of(session: AsyncSession, consumer: str, identity: Identity) -> Outcome | None:
    """Tell what became of an event; None where `consumer` has not seen it."""
    rows = await session.execute(
        text("SELECT outcome, detail FROM inbox WHERE consumer = :consumer AND source = :source AND id = :id"),
        {"consumer": consumer, **identity._asdict()},
    )
    row = rows.one_or_none()
    return None if row is None else Outcome(identity, row.outcome, row.detail)
