"""Reading the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notifications.repository import ledger
from services.notifications.tables import Notice
from shared.database import Transaction
from shared.web.pagination import Number, Paging


@dataclass(frozen=True, slots=True)
class Filters:
    """Which notices are asked for; None asks for all."""

    event_id: str | None = None
    person_id: UUID | None = None
    workshop_id: UUID | None = None
    state: str | None = None


async def read_ledger(tx: Transaction, filters: Filters, paging: Paging) -> tuple[Sequence[Notice], str | None]:
    """Give a piece of the ledger, the newest first, and the cursor of what follows; Invalid for a cursor not ours."""
    after = paging.after(tuple[Number])
    found = await ledger.read(
        tx.session,
        event_id=filters.event_id,
        person_id=filters.person_id,
        workshop_id=filters.workshop_id,
        state=filters.state,
        before=after[0] if after else None,
        limit=paging.rows,
    )
    return paging.cut(found, lambda notice: (notice.ordinal,))
