"""How much waits in a service's database: to be sent, to be taken, to be settled by staff."""

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.observability.metrics import DEAD_LETTERS_OPEN, OUTBOX, OUTBOX_SECONDS, PARKED, PARKED_SECONDS, SET_ASIDE

MOST_COUNTED = 100_000
"""So much at the most is counted: beyond it, that there is more says enough, and counting costs."""
GAUGES = (OUTBOX, OUTBOX_SECONDS, SET_ASIDE)
BY_LABEL = (PARKED, PARKED_SECONDS, DEAD_LETTERS_OPEN)


def _counted(what: str) -> TextClause:
    return text(what.format(most=f"LIMIT {MOST_COUNTED}"))


_OUTBOX = _counted(
    """
    SELECT count(*) AS messages, greatest(extract(epoch FROM now() - min(created_at)), 0) AS seconds
    FROM (SELECT created_at FROM outbox WHERE published_at IS NULL AND refused IS NULL ORDER BY id {most}) AS waiting
    """
)
_SET_ASIDE = _counted(
    "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE refused IS NOT NULL AND published_at IS NULL {most}) AS refused"
)
_PARKED = _counted(
    """
    SELECT consumer, count(*) AS events, greatest(extract(epoch FROM now() - min(parked_at)), 0) AS seconds
    FROM (SELECT consumer, parked_at FROM parked ORDER BY id {most}) AS waiting GROUP BY consumer
    """
)
_DEAD_LETTERS = _counted(
    """
    SELECT reason, count(*) AS letters
    FROM (SELECT reason FROM dead_letters WHERE state = 'open' {most}) AS open GROUP BY reason
    """
)


async def read(connection: AsyncConnection) -> None:
    """Set the gauges to what the database holds; what is no longer there is no longer told."""
    outbox = (await connection.execute(_OUTBOX)).one()
    set_aside = await connection.scalar(_SET_ASIDE)
    parked = (await connection.execute(_PARKED)).all()
    dead_letters = (await connection.execute(_DEAD_LETTERS)).all()
    OUTBOX.set(outbox.messages)
    OUTBOX_SECONDS.set(float(outbox.seconds))
    SET_ASIDE.set(set_aside or 0)
    for each in BY_LABEL:
        each.clear()
    for row in parked:
        PARKED.labels(row.consumer).set(row.events)
        PARKED_SECONDS.labels(row.consumer).set(float(row.seconds))
    for row in dead_letters:
        DEAD_LETTERS_OPEN.labels(row.reason).set(row.letters)
