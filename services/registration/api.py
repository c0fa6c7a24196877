"""HTTP for machines: parse, call one operation, answer."""

import csv
import io
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.security import APIKeyQuery

from services.registration import operations
from services.registration.desk import desk_of
from services.registration.domain import Attendance
from services.registration.operations import Keyed
from services.registration.operations import Request as Asked
from services.registration.schemas import (
    Approval,
    Declining,
    EnrolmentAccepted,
    EnrolmentListed,
    EnrolmentRequest,
    EnrolmentShown,
)
from shared.errors import Forbidden, Invalid, Problem, Unauthorised
from shared.events.registration import SeatCount
from shared.observability import origin
from shared.runtime import service_of
from shared.web.openapi import Refusals, refuses
from shared.web.pagination import LARGEST_LIMIT, Number, Page, Paged
from shared.web.tokens import REFUSALS_TO_STAFF, Bearer, Staff, require_staff

router = APIRouter(tags=["enrolments"])
KEY = re.compile(r"[\x20-\x7e]{1,200}")
WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "With the same key the same body is answered the same, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
REFUSALS: Refusals = {
    404: ["unknown-workshop"],
    409: ["not-open", "external-registration", "already-enrolled", "refused-before", "organisation-quota"],
    422: ["idempotency-key-reused"],
    429: ["too-many-requests"],
}
REFUSALS_TO_HOLDERS: Refusals = {401: ["no-token", "unknown-token"], 403: ["not-yours", "wrong-scope"]}
UNKNOWN: Refusals = {404: ["unknown-enrolment"]}
UNKNOWN_WORKSHOP: Refusals = {404: ["unknown-workshop"]}
OTHER_STATE: Refusals = {409: ["wrong-state"]}
ManageToken = Annotated[
    str | None,
    Depends(
        APIKeyQuery(name="token", scheme_name="manage", auto_error=False, description="The token of `manage_url`.")
    ),
]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula (CWE-1236)."""


async def holder(
    request: Request,
    enrolment_id: UUID,
    bearer: Bearer,
    token: ManageToken,
) -> str:
    """Tell who asks about an enrolment: its holder, by the token of the manage link, or staff.

    Raises Unauthorised without a token or with one that nobody has, Forbidden with another enrolment's.
    """
    given = token or (bearer.credentials if bearer else None)
    if given is None:
        raise Unauthorised("no-token", "Send the token of the manage link, or one of staff.")
    held = desk_of(request).links.read(given)
    if held == enrolment_id:
        return "participant"
    if held is not None:
        raise Forbidden("not-yours", "This token is of another enrolment.")
    if token is not None:
        raise Unauthorised("unknown-token", "This is not the token of a manage link.")
    return f"staff:{(await require_staff(request, bearer)).name}"


Holder = Annotated[str, Depends(holder)]


@router.post(
    "/enrolments",
    status_code=201,
    response_model=EnrolmentAccepted,
    openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    responses=refuses(REFUSALS),
)
async def enrol(request: Request, body: EnrolmentRequest) -> Response:
    """Ask for a seat: the answer says whether it is confirmed, waits in the queue or awaits approval."""
    desk = desk_of(request)
    await desk.rate_limit(request)
    outcome = await desk.enrol(Keyed(Asked(body.workshop_id, body, cause=origin()), _idempotency_key(request)))
    if isinstance(outcome, Problem):
        raise outcome
    answer = EnrolmentAccepted.of(outcome, desk.manage_url(outcome.enrolment_id))
    return Response(answer.model_dump_json(), 201, media_type="application/json")


@router.get("/enrolments/{enrolment_id}", responses=refuses(REFUSALS_TO_HOLDERS, UNKNOWN))
async def enrolment(request: Request, enrolment_id: UUID, _: Holder) -> EnrolmentShown:
    """Show an enrolment, with how it came to be."""
    async with service_of(request).transaction() as tx:
        return EnrolmentShown.of(await operations.life(tx, enrolment_id))


@router.post("/enrolments/{enrolment_id}/withdraw", responses=refuses(REFUSALS_TO_HOLDERS, UNKNOWN, OTHER_STATE))
async def withdraw(request: Request, enrolment_id: UUID, who: Holder) -> EnrolmentShown:
    """Give up a seat or a place in the queue; a seat that becomes free goes to the next who waits."""
    async with service_of(request).transaction() as tx:
        await operations.withdraw(tx, enrolment_id, who)
        return EnrolmentShown.of(await operations.life(tx, enrolment_id))


@router.post(
    "/enrolments/{enrolment_id}/approve",
    responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OTHER_STATE, {409: ["no-seat-left", "organisation-quota"]}),
)
async def approve(
    request: Request, enrolment_id: UUID, staff: Staff, approval: Approval | None = None
) -> EnrolmentShown:
    """Give a pending enrolment its seat; 409 `no-seat-left` where there is none, unless it shall wait then."""
    when_full = (approval or Approval()).when_full
    async with service_of(request).transaction() as tx:
        await operations.approve(tx, enrolment_id, f"staff:{staff.name}", when_full)
        return EnrolmentShown.of(await operations.life(tx, enrolment_id))


@router.post("/enrolments/{enrolment_id}/decline", responses=refuses(REFUSALS_TO_STAFF, UNKNOWN, OTHER_STATE))
async def decline(
    request: Request, enrolment_id: UUID, staff: Staff, declining: Declining | None = None
) -> EnrolmentShown:
    """Turn an enrolment away for good."""
    reason = declining.reason if declining else None
    async with service_of(request).transaction() as tx:
        await operations.decline(tx, enrolment_id, f"staff:{staff.name}", reason)
        return EnrolmentShown.of(await operations.life(tx, enrolment_id))


@router.get(
    "/workshops/{workshop_id}/enrolments",
    tags=["workshops"],
    dependencies=[Depends(require_staff)],
    response_model=Page[EnrolmentListed],
    responses={200: {"content": {"text/csv": {}}}, **refuses(REFUSALS_TO_STAFF, UNKNOWN_WORKSHOP)},
)
async def taking_part(
    request: Request,
    workshop_id: UUID,
    paging: Paged,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
) -> Response:
    """List a workshop's enrolments in the order of acceptance; whole as CSV where that is accepted."""
    if _prefers_csv(accept):
        return Response(await _as_csv(request, workshop_id), media_type="text/csv; charset=utf-8")
    (after,) = paging.after(tuple[Number]) or (0,)
    async with service_of(request).transaction() as tx:
        found = await operations.taking_part(tx, workshop_id, after, paging.rows)
    shown, following = paging.cut(found, lambda one: (one.enrolment.number,))
    page = Page[EnrolmentListed](items=[EnrolmentListed.of(one) for one in shown], next=following)
    return Response(page.model_dump_json(), media_type="application/json")


@router.get("/workshops/{workshop_id}/seats", tags=["workshops"], responses=refuses(UNKNOWN_WORKSHOP))
async def seats(request: Request, workshop_id: UUID) -> dict[Attendance, SeatCount]:
    """Tell how many seats there are and how many are taken, per way of attending."""
    async with service_of(request).transaction() as tx:
        return await operations.seats_of(tx, workshop_id)


def _idempotency_key(request: Request) -> str | None:
    """Read the header by hand: this is the busiest endpoint, and FastAPI takes its time over each parameter."""
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise Invalid("The key is not one.", [("Idempotency-Key", "must have 1 to 200 printable ASCII characters")])
    return key


def _prefers_csv(accept: str) -> bool:
    """Read an Accept header (RFC 9110, section 12.5.1): CSV is for who names it, unless JSON weighs more."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
        weights[media_type] = float(weight) if WEIGHT.fullmatch(weight) else 0.0
    return 0 < weights["text/csv"] >= weights["application/json"]


async def _as_csv(request: Request, workshop_id: UUID) -> str:
    written = io.StringIO()
    table = csv.DictWriter(written, list(EnrolmentListed.model_fields))
    table.writeheader()
    after = 0
    async with service_of(request).transaction() as tx:
        while found := await operations.taking_part(tx, workshop_id, after, LARGEST_LIMIT):
            for one in found:
                row = EnrolmentListed.of(one).model_dump(mode="json")
                table.writerow({name: _cell(value) for name, value in row.items()})
            after = found[-1].enrolment.number
    return written.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
