"""HTTP: the ledger, for staff."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.notifications import schemas
from services.notifications.operations.ledger import Filters, read_ledger
from shared.runtime import service_of
from shared.web.openapi import refuses
from shared.web.pagination import Page, Paged
from shared.web.tokens import REFUSALS_TO_STAFF, Staff

router = APIRouter(tags=["notices"])


@router.get("/notices", responses=refuses(REFUSALS_TO_STAFF))
async def list_notices(
    request: Request,
    _caller: Staff,
    paging: Paged,
    event_id: Annotated[str | None, Query(max_length=500, description="the event that caused it")] = None,
    person_id: UUID | None = None,
    workshop_id: UUID | None = None,
    state: schemas.NoticeState | None = None,
) -> Page[schemas.Notice]:
    """List notices, the newest first: for each what caused it, by which rule, to whom, and what became of it."""
    async with service_of(request).transaction() as tx:
        rows, following = await read_ledger(tx, Filters(event_id, person_id, workshop_id, state), paging)
        return Page(items=[schemas.Notice.model_validate(row) for row in rows], next=following)
