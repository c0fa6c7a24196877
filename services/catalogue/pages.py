"""The catalogue for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.catalogue import operations
from services.catalogue.domain import Enrolment, enrolment_at, period
from services.catalogue.repository import PUBLIC, Criteria, Position
from services.catalogue.schemas import WorkshopShown
from services.catalogue.tables import Workshop
from shared.runtime import service_of
from shared.web.forms import Form
from shared.web.i18n import N_
from shared.web.pages import pages_of
from shared.web.pagination import Instant, Paging

router = APIRouter()
NEXT = 4
"""How many workshops the first page shows."""
LISTED = 20
LONGEST_SEARCH = 200
THEMES = (
    N_("circular economy"),
    N_("climate adaptation"),
    N_("energy"),
    N_("finance"),
    N_("governance"),
    N_("local adaptation"),
    N_("mobility"),
    N_("net zero"),
    N_("planning"),
    N_("semi urban areas"),
)
"""Themes that are said in the visitor's language; another one is said as it was stated."""
NO_DATE = N_("Please write a date such as 2027-03-01.")


@dataclass(frozen=True, slots=True)
class Offer:
    """A workshop as a page shows it: what everybody may know, and how enrolment stands now."""

    workshop: WorkshopShown
    enrolment: Enrolment
    rescheduled_at: datetime | None

    @classmethod
    def of(cls, row: Workshop, now: datetime) -> "Offer":
        """Look at a workshop at a moment."""
        terms = row.content.registration
        enrolment = enrolment_at(
            now, row.state, opens_at=terms.opens_at, closes_at=terms.closes_at, starts_at=row.starts_at
        )
        return cls(WorkshopShown.of(row), enrolment, row.rescheduled_at)

    @property
    def days(self) -> list[date]:
        """The days on which it meets, each on its own clock."""
        return [each.starts_at.astimezone(ZoneInfo(each.timezone)).date() for each in self.workshop.sessions]


@router.get("/")
async def front(request: Request) -> Response:
    """Say what this is, and what comes next."""
    criteria = Criteria(states=frozenset({"scheduled"}), since=_now(request))
    async with service_of(request).transaction() as tx:
        rows = await operations.search(tx, criteria, None, NEXT)
    return pages_of(request).render(request, "front.html", offers=_offers(request, rows))


@router.get("/workshops")
async def workshops(request: Request, cursor: str | None = None) -> Response:
    """List what is on offer, filtered by a form that needs no script."""
    form = Form({name: [request.query_params.get(name, "")] for name in ("q", "from", "mode")})
    since, form = _since(request, form)
    paging = Paging(cursor, LISTED)
    after = paging.after(tuple[Instant, UUID])
    mode = form.value("mode")
    criteria = Criteria(
        PUBLIC,
        form.value("q").replace("\0", " ")[:LONGEST_SEARCH],
        since,
        mode=mode if mode in {"in_person", "online"} else None,
    )
    async with service_of(request).transaction() as tx:
        rows = await operations.search(tx, criteria, Position(*after) if after else None, paging.rows)
    shown, following = paging.cut(rows, lambda row: (row.starts_at, row.workshop_id))
    return pages_of(request).render(
        request,
        "workshops.html",
        form=form,
        filtered=any(form.value(name) for name in ("q", "from", "mode")),
        offers=_offers(request, shown),
        following=following and str(request.url.include_query_params(cursor=following).query),
    )


@router.get("/workshops/{key}")
async def workshop(request: Request, key: str) -> Response:
    """Show one workshop and how one gets in; an id leads to the address by name."""
    async with service_of(request).transaction() as tx:
        row = await operations.workshop(tx, key, drafts=False)
        around = await operations.surroundings(tx, row)
    if key != row.slug:
        return RedirectResponse(f"/workshops/{row.slug}", status_code=308)
    return pages_of(request).render(
        request,
        "workshop.html",
        offer=Offer.of(row, _now(request)),
        programme=around.programme,
        group=around.group,
    )


def _since(request: Request, form: Form) -> tuple[datetime | None, Form]:
    """Read the day from which to list: now, where none is written or what is written is no day."""
    written = form.value("from").strip()
    if not written:
        return _now(request), form
    try:
        day = date.fromisoformat(written)
    except ValueError:
        said = pages_of(request).translator(request).gettext(NO_DATE)
        return _now(request), Form(form.values, {"from": said})
    return period(day, None, ZoneInfo(request.app.state.office.timezone))[0], form


def _offers(request: Request, rows: Sequence[Workshop]) -> list[Offer]:
    return [Offer.of(row, _now(request)) for row in rows]


def _now(request: Request) -> datetime:
    return service_of(request).clock()
