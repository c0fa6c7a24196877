"""HTTP for machines: parse, call one operation, answer."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import PlainValidator, StringConstraints, WithJsonSchema

from services.catalogue import operations
from services.catalogue.domain import Bound, period
from services.catalogue.rendering import calendar
from services.catalogue.repository import EVERY, PUBLIC, Criteria, Position
from services.catalogue.schemas import (
    Cancellation,
    NewWorkshop,
    OtherSessions,
    WorkshopChange,
    WorkshopShown,
    WorkshopShownToStaff,
)
from services.catalogue.tables import Workshop
from shared.database import Transaction
from shared.errors import Invalid
from shared.events.base import Language, Slug
from shared.events.catalogue import Mode
from shared.runtime import service_of
from shared.web.openapi import Refusals, refuses
from shared.web.pages import pages_of
from shared.web.pagination import Instant, Page, Paged
from shared.web.tokens import REFUSALS_TO_STAFF, Bearer, caller_of, require_staff

router = APIRouter(tags=["workshops"])


def _bound(text: object) -> Bound:
    """Read a day, or a moment with its offset."""
    try:
        if len(str(text)) == len("2027-03-01"):
            return date.fromisoformat(str(text))
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "must be a day such as 2027-03-01, or a moment with its offset such as 2027-03-01T10:00:00Z"
        raise ValueError(message)
    return moment


DayOrMoment = Annotated[Bound, PlainValidator(_bound), WithJsonSchema({"type": "string"})]
Words = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Path(description="a workshop's id or slug")]
Shown = WorkshopShown | WorkshopShownToStaff
REMEMBERED = timedelta(days=31)
"""How long a calendar shows what is over: someone looks up where it was."""
FOR_STAFF = [Depends(require_staff)]
FOR_ALL: dict[str, Any] = {"security": [{}]}
"""Nobody has to say who they are, but staff who do see more."""
UNKNOWN_TOKEN: Refusals = {401: ["unknown-token"]}
UNKNOWN: Refusals = {404: ["unknown-workshop"]}
OVER: Refusals = {409: ["held", "cancelled"]}
"""In which states no step is taken any more."""
NOT_BEGUN: Refusals = {409: ["not-scheduled"]}


async def _is_staff(request: Request, bearer: Bearer) -> bool:
    """Tell whether staff ask; raises Unauthorised for a token that nobody has."""
    return bearer is not None and (await caller_of(request, bearer.credentials)).scope == "staff"


IsStaff = Annotated[bool, Depends(_is_staff)]


def _criteria(  # noqa: PLR0913 - each is a parameter of the query
    *,
    request: Request,
    staff: IsStaff,
    q: Annotated[Words, Query(description="words of title, summary or place")] = "",
    since: Annotated[DayOrMoment | None, Query(alias="from", description="a session ends after this")] = None,
    until: Annotated[
        DayOrMoment | None, Query(alias="to", description="a session begins before this, or on this day")
    ] = None,
    theme: Slug | None = None,
    mode: Annotated[Mode | None, Query(description="a way of attending; a hybrid session has both")] = None,
    programme: Slug | None = None,
    group: Slug | None = None,
    lang: Annotated[Language | None, Query(description="the language in which it is held")] = None,
) -> Criteria:
    return Criteria(
        EVERY if staff else PUBLIC,
        q,
        *bounds(request, since, until),
        theme=theme,
        mode=mode,
        programme=programme,
        group=group,
        language=lang,
    )


def bounds(request: Request, since: Bound | None, until: Bound | None) -> tuple[datetime | None, datetime | None]:
    """Read the time that a search looks at, whose days are the office's; raises Invalid where it ends first."""
    start, end = period(since, until, ZoneInfo(request.app.state.office.timezone))
    if start is not None and end is not None and end <= start:
        raise Invalid("The time asked for ends before it begins.", [("to", "must not lie before from")])
    return start, end


def transaction(request: Request) -> AbstractAsyncContextManager[Transaction]:
    """Open the transaction of a request."""
    return service_of(request).transaction()


@router.get("/workshops", openapi_extra=FOR_ALL, responses=refuses(UNKNOWN_TOKEN))
async def list_workshops(
    request: Request, paging: Paged, staff: IsStaff, criteria: Annotated[Criteria, Depends(_criteria)]
) -> Page[Shown]:
    """List workshops in the order of their first session; staff see drafts and join links too."""
    after = paging.after(tuple[Instant, UUID])
    async with transaction(request) as tx:
        rows = await operations.search(tx, criteria, Position(*after) if after else None, paging.rows)
    shown, following = paging.cut(rows, lambda row: (row.starts_at, row.workshop_id))
    return Page(items=[_show(row, staff=staff) for row in shown], next=following)


@router.get(
    "/workshops.ics",
    response_class=Response,
    openapi_extra=FOR_ALL,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}, **refuses(UNKNOWN_TOKEN)},
)
async def workshops_calendar(request: Request, criteria: Annotated[Criteria, Depends(_criteria)]) -> Response:
    """Give the whole public programme as a calendar to subscribe to, from a month ago on unless said otherwise."""
    service = service_of(request)
    translator = pages_of(request).translator(request)
    since = criteria.since or service.clock() - REMEMBERED
    public = replace(criteria, states=PUBLIC, since=since)
    async with transaction(request) as tx:
        # A calendar has no next page: what it leaves out, nobody would miss until it has taken place.
        rows = await operations.search(tx, public, None, None)
    office = translator.localised(request.app.state.office.name)
    url = str(service.settings.public_url).rstrip("/")
    written = await asyncio.to_thread(calendar, rows, office, url, service.clock(), translator)
    headers = {"Content-Language": translator.language, "Vary": "Cookie, Accept-Language"}
    return Response(written, headers=headers, media_type="text/calendar; charset=utf-8")


@router.get("/workshops/{key}", openapi_extra=FOR_ALL, responses=refuses(UNKNOWN_TOKEN, UNKNOWN))
async def show_workshop(request: Request, key: Key, staff: IsStaff) -> Shown:
    """Show one workshop; staff see drafts and join links too."""
    async with transaction(request) as tx:
        return _show(await operations.workshop(tx, key, drafts=staff), staff=staff)


@router.post(
    "/workshops",
    status_code=201,
    dependencies=FOR_STAFF,
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}, **refuses(REFUSALS_TO_STAFF)},
)
async def create_workshop(request: Request, response: Response, body: NewWorkshop) -> WorkshopShownToStaff:
    """Make a draft: nobody else sees it, and no event tells of it, until it is scheduled."""
    async with transaction(request) as tx:
        row = await operations.create(tx, body.statement)
    response.headers["Location"] = f"/api/catalogue/workshops/{row.workshop_id}"
    return WorkshopShownToStaff.of(row)


@router.patch("/workshops/{key}", dependencies=FOR_STAFF, responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OVER))
async def change_workshop(request: Request, key: Key, body: WorkshopChange) -> WorkshopShownToStaff:
    """Change what is named; `workshop.updated` tells of it, or `workshop.rescheduled` where dates moved."""
    async with transaction(request) as tx:
        return WorkshopShownToStaff.of(await operations.edit(tx, key, body.applied))


@router.post(
    "/workshops/{key}/schedule",
    dependencies=FOR_STAFF,
    responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OVER, {409: ["already-scheduled"]}),
)
async def schedule_workshop(request: Request, key: Key) -> WorkshopShownToStaff:
    """Put a draft on offer."""
    async with transaction(request) as tx:
        return WorkshopShownToStaff.of(await operations.schedule(tx, key))


@router.post(
    "/workshops/{key}/reschedule",
    dependencies=FOR_STAFF,
    responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OVER, NOT_BEGUN),
)
async def reschedule_workshop(request: Request, key: Key, body: OtherSessions) -> WorkshopShownToStaff:
    """Give a workshop that is on offer other sessions; the same ones again change nothing."""
    async with transaction(request) as tx:
        return WorkshopShownToStaff.of(await operations.reschedule(tx, key, body.sessions))


@router.post(
    "/workshops/{key}/cancel",
    dependencies=FOR_STAFF,
    responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OVER, NOT_BEGUN),
)
async def cancel_workshop(request: Request, key: Key, body: Cancellation) -> WorkshopShownToStaff:
    """Call a workshop off; its reason is told to those who enrolled."""
    async with transaction(request) as tx:
        return WorkshopShownToStaff.of(await operations.cancel(tx, key, body.reason))


@router.post(
    "/workshops/{key}/close",
    dependencies=FOR_STAFF,
    responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OVER, NOT_BEGUN),
)
async def close_workshop(request: Request, key: Key) -> WorkshopShownToStaff:
    """End enrolment now."""
    async with transaction(request) as tx:
        return WorkshopShownToStaff.of(await operations.close(tx, key))


def _show(row: Workshop, *, staff: bool) -> Shown:
    return WorkshopShownToStaff.of(row) if staff else WorkshopShown.of(row)
