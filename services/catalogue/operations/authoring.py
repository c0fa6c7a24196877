"""What staff do with a workshop, from its draft to its end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from services.catalogue import repository
from services.catalogue.operations import stating
from services.catalogue.operations.stating import Statement, locked, require
from services.catalogue.tables import Workshop
from shared.database import Transaction
from shared.events.base import Localised
from shared.events.catalogue import SessionWithLink

BATCH = 100


async def create(tx: Transaction, stated: Statement) -> Workshop:
    """Make a draft, which nobody but staff sees."""
    await repository.wait_for_newcomers(tx.session)
    return await stating.make(tx, stated)


async def schedule(tx: Transaction, key: UUID | str) -> Workshop:
    """Put a draft on offer; raises NotFound, Conflict."""
    row = await locked(tx, key)
    stating.put_on_offer(tx, row)
    return row


async def edit(tx: Transaction, key: UUID | str, change: Callable[[Statement], Statement]) -> Workshop:
    """Make a workshop what `change` makes of what it says now; raises NotFound, Conflict, and what `change` does."""
    row = await locked(tx, key)
    require(row, "edit")
    stating.restate(tx, row, change(Statement(row.content, row.sessions)))
    return row


async def reschedule(tx: Transaction, key: UUID | str, sessions: Sequence[SessionWithLink]) -> Workshop:
    """Give a workshop that is on offer other sessions; raises NotFound, Conflict, Invalid."""
    row = await locked(tx, key)
    require(row, "reschedule")
    stating.restate(tx, row, Statement.of(row.content, sessions))
    return row


async def close(tx: Transaction, key: UUID | str) -> Workshop:
    """End enrolment now, where it has not ended yet; raises NotFound, Conflict."""
    row = await locked(tx, key)
    require(row, "close")
    terms = row.content.registration
    if terms.closes_at is None or terms.closes_at > tx.now:
        # An opening that has not come is dropped with it: it would lie after the end.
        opens_at = terms.opens_at if terms.opens_at is not None and terms.opens_at < tx.now else None
        closed = terms.model_copy(update={"opens_at": opens_at, "closes_at": tx.now})
        content = row.content.model_copy(update={"registration": closed})
        stating.restate(tx, row, replace(Statement(row.content, row.sessions), content=content))
    return row


async def cancel(tx: Transaction, key: UUID | str, reason: Localised) -> Workshop:
    """Call a workshop off, for a reason that people are told; raises NotFound, Conflict."""
    row = await locked(tx, key)
    stating.call_off(tx, row, reason)
    return row


async def hold_past(tx: Transaction) -> int:
    """Note of some workshops whose last session is over that they have taken place; answers of how many."""
    rows = await repository.lock_past(tx.session, tx.now, BATCH)
    for row in rows:
        stating.hold(tx, row)
    return len(rows)
