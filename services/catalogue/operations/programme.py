"""What a file says of the programme of activities: whoever imports it twice changes nothing the second time."""

from typing import Literal

from services.catalogue import repository
from services.catalogue.operations import stating
from services.catalogue.operations.stating import Statement
from services.catalogue.tables import Group, Programme
from shared.database import Transaction
from shared.errors import Conflict

Effect = Literal["created", "updated", "unchanged"]


async def state_workshop(tx: Transaction, slug: str, stated: Statement, state: Literal["draft", "scheduled"]) -> Effect:
    """Have a workshop of ours under `slug` as it is stated, on offer if it is to be; raises Conflict.

    What is on offer is not taken back to a draft: one cancels it.
    """
    row = await repository.lock(tx.session, slug)
    if row is None:
        await repository.wait_for_newcomers(tx.session)
        row = await repository.lock(tx.session, slug)
    if row is None:
        row = await stating.make(tx, stated, slug=slug)
        if state == "scheduled":
            stating.put_on_offer(tx, row)
        return "created"
    if row.publisher is not None:
        taken = "slug-taken"
        raise Conflict(taken, f"{slug} is a workshop of {row.publisher}, who alone may state it.")
    differs = stating.differs(row, stated)
    if differs or row.state == "cancelled":
        stating.require(row, "edit")
        stating.restate(tx, row, stated)
    if state == "scheduled" and row.state == "draft":
        stating.put_on_offer(tx, row)
        differs = True
    return "updated" if differs else "unchanged"


async def state_programme(tx: Transaction, stated: Programme) -> Effect:
    """Have a programme as it is stated."""
    return await _state(tx, await tx.session.get(Programme, stated.slug, with_for_update=True), stated)


async def state_group(tx: Transaction, stated: Group) -> Effect:
    """Have a group as it is stated."""
    return await _state(tx, await tx.session.get(Group, stated.slug, with_for_update=True), stated)


async def _state(tx: Transaction, row: Programme | Group | None, stated: Programme | Group) -> Effect:
    if row is None:
        tx.session.add(stated)
        return "created"
    if row == stated:
        return "unchanged"
    await tx.session.merge(stated)
    return "updated"
