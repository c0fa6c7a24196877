"""What outside systems say of their workshops: each changes only its own."""

from services.catalogue import repository
from services.catalogue.operations import stating
from services.catalogue.operations.stating import Statement
from services.catalogue.tables import Workshop
from shared.database import Transaction
from shared.errors import NotFound, Outdated
from shared.events.base import Localised
from shared.events.catalogue import OutsideWorkshop


async def take_outside(tx: Transaction, publisher: str, event: OutsideWorkshop, sequence: int | None) -> Workshop:
    """Have a publisher's workshop on offer as it is stated; saying the same again changes nothing.

    `sequence` is the publisher's own count, if it keeps one: what is not newer than what we have is refused
    (Outdated). Raises Conflict also for a workshop that is over or was called off; Invalid for a statement that
    contradicts itself.
    """
    stated = Statement.of(event, event.sessions)
    row = await _lock(tx, publisher, event.external_id, sequence)
    if row is None:
        await repository.wait_for_newcomers(tx.session)
        row = await _lock(tx, publisher, event.external_id, sequence)
    if row is None:
        row = await stating.make(tx, stated)
        row.publisher, row.external_id, row.publisher_sequence = publisher, event.external_id, sequence
        stating.put_on_offer(tx, row)
    elif row.state == "cancelled" or stating.differs(row, stated):
        stating.require(row, "edit")
        stating.restate(tx, row, stated)
    return row


async def call_off_outside(
    tx: Transaction, publisher: str, external_id: str, reason: Localised | None, sequence: int | None
) -> Workshop:
    """Cancel a publisher's workshop; raises NotFound, Conflict, Outdated."""
    row = await _lock(tx, publisher, external_id, sequence)
    if row is None:
        slug = "unknown-workshop"
        raise NotFound(slug, f"{publisher} has no workshop {external_id} here.")
    stating.call_off(tx, row, reason)
    return row


async def _lock(tx: Transaction, publisher: str, external_id: str, sequence: int | None) -> Workshop | None:
    row = await repository.lock_outside(tx.session, publisher, external_id)
    if row is None or sequence is None:
        return row
    if row.publisher_sequence is not None and sequence <= row.publisher_sequence:
        slug = "older-than-known"
        detail = f"This is number {sequence} of its workshop; number {row.publisher_sequence} is known already."
        raise Outdated(slug, detail, workshop_id=str(row.workshop_id))
    row.publisher_sequence = sequence
    return row
