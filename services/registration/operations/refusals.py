"""Why one does not get in, in words that say what is wrong and what to do."""

from datetime import datetime
from uuid import UUID

from services.registration.domain import Closed, Refusal, State, closed_because
from services.registration.operations.seating import House
from services.registration.repository.enrolments import Enrolment
from shared.errors import Conflict, Invalid, NotFound, Problem
from shared.events.registration import EnrolmentForm

_CLOSED: dict[Closed, str] = {
    "cancelled": "The workshop is cancelled.",
    "held": "The workshop has taken place.",
    "not-scheduled": "The workshop is not on offer yet.",
    "not-yet": "Enrolment has not opened yet; see when it opens.",
    "over": "Enrolment has closed.",
    "started": "The workshop has begun.",
}
_REFUSED: dict[Refusal, str] = {
    "already-enrolled": "This person has enrolled already; the link to see or withdraw the enrolment is in their mail.",
    "refused-before": "The office has declined this person's enrolment in this workshop; write to the office about it.",
    "organisation-quota": "This organisation holds as many seats of this workshop as one may.",
}


def unknown_workshop() -> NotFound:
    """Say that the workshop is not known here."""
    slug = "unknown-workshop"
    return NotFound(slug, "There is no such workshop here; check its id, or ask again when it has been published.")


def unknown_enrolment() -> NotFound:
    """Say that the enrolment is not known here."""
    slug = "unknown-enrolment"
    return NotFound(slug, "There is no such enrolment; check its id.")


def wrong_state(enrolment: Enrolment, wanted: State) -> Conflict:
    """Say that an enrolment cannot take the step that is asked for."""
    slug = "wrong-state"
    detail = f"The enrolment is {enrolment.state}: from there it does not become {wanted}."
    return Conflict(slug, detail, state=enrolment.state)


def turned_away(refusal: Refusal) -> Conflict:
    """Say why the decision on seats was no; it reveals nothing of the enrolment that stands in the way."""
    return Conflict(refusal, _REFUSED[refusal])


def cannot_enrol(house: House, workshop_id: UUID, form: EnrolmentForm, now: datetime) -> Problem | None:
    """Say what speaks against a request whoever makes it; None when nothing does."""
    rules, counts = house.rules[workshop_id], house.counts[workshop_id]
    if closed := closed_because(rules.dates, now):
        slug = "not-open"
        return Conflict(slug, _CLOSED[closed], because=closed)
    if rules.external_url:
        slug = "external-registration"
        return Conflict(slug, "One registers for this workshop elsewhere; follow the link.", link=rules.external_url)
    fields: list[tuple[str, str]] = []
    if form.attendance not in counts or not counts[form.attendance].on_offer:
        fields.append(("attendance", "the workshop cannot be attended in this way"))
    if "privacy" not in form.accepts:
        fields.append(("accepts", "the privacy notice must be accepted: include `privacy`"))
    if form.groups and "commitment" not in form.accepts:
        fields.append(("accepts", "to join a group its commitment must be accepted: include `commitment`"))
    return Invalid("The request cannot be taken as it is.", fields) if fields else None
