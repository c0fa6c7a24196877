"""What is shown: lists, one workshop, and what stands around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.catalogue import repository
from services.catalogue.operations.stating import unknown
from services.catalogue.repository import Criteria, Position
from services.catalogue.tables import Group, Programme, Workshop
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The programme and the group that a workshop belongs to, where they are known."""

    programme: Programme | None
    group: Group | None


async def workshop(tx: Transaction, key: UUID | str, *, drafts: bool) -> Workshop:
    """Give a workshop by id or slug; raises NotFound, for a draft too unless `drafts` may be seen."""
    row = await repository.workshop(tx.session, key)
    if row is None or (row.state == "draft" and not drafts):
        raise unknown(key)
    return row


async def search(tx: Transaction, criteria: Criteria, after: Position | None, limit: int | None) -> Sequence[Workshop]:
    """List the workshops that meet `criteria`, in the order of their first session; all of them without a `limit`."""
    return await repository.workshops(tx.session, criteria, after, limit)


async def surroundings(tx: Transaction, row: Workshop) -> Surroundings:
    """Give what a workshop's page tells of beside it."""
    programme, group = row.content.programme, row.content.group
    return Surroundings(
        None if programme is None else await tx.session.get(Programme, programme),
        None if group is None else await tx.session.get(Group, group),
    )
