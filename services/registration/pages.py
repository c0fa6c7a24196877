"""Registration for people: to enrol, to see what is theirs, to withdraw."""

import re
import secrets
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from services.registration import operations
from services.registration.desk import desk_of
from services.registration.operations import Keyed, Offer
from services.registration.operations import Request as Asked
from shared.errors import Conflict, Invalid, NotFound, Problem
from shared.events.registration import EnrolmentForm, SeatCount
from shared.observability import origin
from shared.runtime import service_of
from shared.web.forms import Form
from shared.web.i18n import N_, Translator
from shared.web.pages import pages_of
from shared.web.words import word

router = APIRouter()
KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
ACCEPT_PRIVACY = N_("Please read the notice on your data and accept it: we cannot enrol you without it.")
NOT_THIS_WAY = N_("Please choose a way of attending that this workshop has.")
NO_SUCH_LINK = N_("This link is not complete. Open it from the mail that we sent you, or copy all of it.")


@router.get("/enrol/{slug}")
async def enrol_form(request: Request, slug: str) -> Response:
    """Show the form by which one enrols."""
    offer = await _offer(request, slug)
    blank = {"person.language": pages_of(request).language(request), "attendance": min(offer.fact.seats)}
    return _form(request, offer, Form.filled(blank))


@router.post("/enrol/{slug}")
async def enrol(request: Request, slug: str) -> Response:
    """Enrol; what is wrong is said beside its field, and a second click takes no second seat."""
    await desk_of(request).rate_limit(request)
    offer = await _offer(request, slug)
    form = Form.read(await request.form())
    filled = _filled(form)
    if not isinstance(filled, EnrolmentForm) or "privacy" not in filled.accepts:
        wrong = _said_what_is_wrong(form, filled, pages_of(request).translator(request))
        return _form(request, offer, wrong, status=422)
    key = f"page:{form.value('key')}" if KEY.fullmatch(form.value("key")) else None
    outcome = await desk_of(request).enrol(Keyed(Asked(offer.rules.workshop_id, filled, cause=origin()), key))
    match outcome:
        case Invalid(slug="idempotency-key-reused"):
            return _form(request, offer, form, refusal=outcome, status=409)
        case Invalid():  # the workshop was changed while the form was filled in
            changed = Invalid(NOT_THIS_WAY, [("attendance", NOT_THIS_WAY)])
            return _form(request, offer, form.refused(changed, pages_of(request).translator(request)), status=422)
        case Conflict():
            return _form(request, await _offer(request, slug), form, refusal=outcome, status=409)
        case Problem():
            raise outcome
    return RedirectResponse(f"{desk_of(request).manage_path(outcome.enrolment_id)}?welcome=1", status_code=303)


@router.get("/enrolments/{token}")
async def enrolment(request: Request, token: str) -> Response:
    """Show an enrolment to its holder."""
    return await _shown(request, token, "enrolment.html", welcome="welcome" in request.query_params)


@router.get("/enrolments/{token}/withdraw")
async def ask_to_withdraw(request: Request, token: str) -> Response:
    """Ask whether it is really meant: a link that is only followed changes nothing."""
    return await _shown(request, token, "withdraw.html")


@router.post("/enrolments/{token}/withdraw")
async def withdraw(request: Request, token: str) -> Response:
    """Withdraw, and show what became of it."""
    enrolment_id = _enrolment_of(request, token)
    async with service_of(request).transaction() as tx:
        await operations.withdraw(tx, enrolment_id, "participant")
    return RedirectResponse(f"/enrolments/{token}", status_code=303)


def _filled(form: Form) -> EnrolmentForm | ValidationError:
    """Read what was filled in; an organisation of which nothing is said is none.

    To join the group is to make its commitment: the form says both in one sentence.
    """
    body = {name: part for name, part in form.nested().items() if (name, part) != ("organisation", {})}
    accepts = [*body.get("accepts", []), *(["commitment"] if body.get("groups") else [])]
    try:
        return EnrolmentForm.model_validate(body | {"accepts": accepts})
    except ValidationError as error:
        return error


def _said_what_is_wrong(form: Form, filled: EnrolmentForm | ValidationError, t: Translator) -> Form:
    """Give the form with all that is wrong in it; consent stands last on the page, and here."""
    if isinstance(filled, ValidationError):
        form = form.refused(filled, t)
    missing = {} if form.has("accepts[]", "privacy") else {"accepts": t.gettext(ACCEPT_PRIVACY)}
    return replace(form, errors={**form.errors, **missing})


def _form(request: Request, offer: Offer, form: Form, *, refusal: Problem | None = None, status: int = 200) -> Response:
    # A key for each time the form is shown: to send the same form twice is to ask once, to correct it is to ask anew.
    renewed = replace(form, values={name: texts for name, texts in form.values.items() if name != "key"})
    return pages_of(request).render(
        request,
        "enrol.html",
        status=status,
        offer=offer,
        workshop=offer.fact,
        ways=_ways(offer, pages_of(request).translator(request)),
        form=renewed,
        refusal=refusal,
        key=secrets.token_urlsafe(16),
    )


def _ways(offer: Offer, t: Translator) -> list[tuple[str, str]]:
    """List the ways of attending, each with what is left of its seats."""
    return [
        (way, f"{word(t, 'attendance', way)} · {_left(offer.seats[way], offer.rules.approval, t)}")
        for way in sorted(offer.fact.seats)
        if way in offer.seats
    ]


def _left(seats: SeatCount, approval: str, t: Translator) -> str:
    if approval == "staff":
        return t.gettext("the office answers each request")
    if seats.available is None:
        return t.gettext("there is no limit of seats")
    if seats.available:
        return t.ngettext("%(n)s seat left", "%(n)s seats left", seats.available, n=t.number(seats.available))
    if not seats.waitlisted:
        return t.gettext("full: you would be the first on the waiting list")
    many = t.number(seats.waitlisted)
    return t.ngettext("full, and %(n)s person waits", "full, and %(n)s people wait", seats.waitlisted, n=many)


async def _shown(request: Request, token: str, template: str, **context: Any) -> Response:  # noqa: ANN401 - a template's
    enrolment_id = _enrolment_of(request, token)
    async with service_of(request).transaction() as tx:
        part = await operations.part(tx, enrolment_id)
    return pages_of(request).render(
        request,
        template,
        part=part,
        enrolment=part.life.enrolment,
        workshop=part.fact,
        home=f"/enrolments/{token}",
        now=service_of(request).clock(),
        **context,
    )


async def _offer(request: Request, slug: str) -> Offer:
    async with service_of(request).transaction() as tx:
        return await operations.offer(tx, slug)


def _enrolment_of(request: Request, token: str) -> UUID:
    enrolment_id = desk_of(request).links.read(token)
    if enrolment_id is None:
        raise NotFound("unknown-link", NO_SUCH_LINK)
    return enrolment_id
