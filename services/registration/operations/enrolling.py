"""To enrol: any number of requests, decided together in one transaction, for HTTP and the bus alike."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import uuid_utils.compat as uuids

from services.registration import domain
from services.registration.domain import LIVE, Admitted, Decision, TurnedAway, email_identity, organisation_identity
from services.registration.operations import newcomers, seating
from services.registration.operations.newcomers import Recognised
from services.registration.operations.refusals import cannot_enrol, turned_away, unknown_workshop
from services.registration.operations.requests import Accepted, Candidate, Outcome, Request
from services.registration.operations.seating import Created, House
from services.registration.repository import enrolments, workshops
from services.registration.repository.enrolments import New
from shared.database import Transaction
from shared.events.registration import OutsideReference

PRIVACY_NOTICE = "2026-11"
"""The version of the privacy notice that one consents to; it changes with the notice on the form."""


async def enrol(tx: Transaction, requests: Sequence[Request]) -> list[Outcome]:
    """Decide requests in the order in which they came; answers an outcome for each, in that order.

    A few statements do for any number of them. Whoever is refused leaves no trace, and nobody known is changed.
    """
    wanted = await workshops_of(tx, requests)
    house = await seating.hold(tx, {workshop_id for workshop_id in wanted if workshop_id})
    outcomes: dict[int, Outcome] = {}
    candidates: dict[int, Candidate] = {}
    for place, (request, workshop_id) in enumerate(zip(requests, wanted, strict=True)):
        if workshop_id not in house.rules:
            outcomes[place] = unknown_workshop()
        elif problem := cannot_enrol(house, workshop_id, request.form, tx.now):
            outcomes[place] = problem
        else:
            candidates[place] = _candidate(request, workshop_id)
    if candidates:
        decided = await _decide(tx, house, list(candidates.values()))
        outcomes |= dict(zip(candidates, decided, strict=True))
    return [outcomes[place] for place in range(len(requests))]


async def workshops_of(tx: Transaction, requests: Sequence[Request]) -> list[UUID]:
    """Give the workshop that each request is for; an id that nobody has where an outside name is not known."""
    outside = {each.workshop for each in requests if isinstance(each.workshop, OutsideReference)}
    named = await workshops.resolve(tx.session, outside)
    nobody = UUID(int=0)
    return [each.workshop if isinstance(each.workshop, UUID) else named.get(each.workshop, nobody) for each in requests]


def _candidate(request: Request, workshop_id: UUID) -> Candidate:
    of = request.form.organisation
    return Candidate(
        uuids.uuid7(),
        workshop_id,
        request,
        email_identity(request.form.person.email),
        organisation_identity(of.name, of.kind, of.country) if of else None,
    )


async def _decide(tx: Transaction, house: House, candidates: Sequence[Candidate]) -> list[Outcome]:
    recognised = await newcomers.recognise(tx, candidates)
    enrolled, refused = recognised.in_state(LIVE), recognised.in_state({"declined"})
    seats = {
        workshop_id: replace(
            these,
            enrolled=enrolled.get(workshop_id, frozenset()),
            refused=refused.get(workshop_id, frozenset()),
        )
        for workshop_id, these in house.seats.items()
    }
    asked = [
        domain.Request(
            each.enrolment_id,
            each.workshop_id,
            each.request.form.attendance,
            each.person,
            recognised.organisation_of(each),
        )
        for each in candidates
    ]
    allocation = domain.allocate(seats, [one.waiting for one in house.queue.values()], asked)
    admitted = [
        (candidate, decision)
        for candidate, decision in zip(candidates, allocation.decisions, strict=True)
        if isinstance(decision, Admitted)
    ]
    created = await _add(tx, recognised, admitted) if admitted else []
    await seating.settle(tx, house, seating.promotions(house, allocation.promoted, tx), created=created)
    return [_outcome(*pair) for pair in zip(candidates, allocation.decisions, strict=True)]


async def _add(
    tx: Transaction, recognised: Recognised, admitted: Sequence[tuple[Candidate, Admitted]]
) -> list[Created]:
    registered = await newcomers.register(tx, recognised, [candidate for candidate, _ in admitted])
    new = [
        New(
            candidate.enrolment_id,
            candidate.workshop_id,
            registered.people[candidate.person],
            registered.organisation(recognised.organisation_of(candidate)),
            candidate.request.form.attendance,
            decision.state,
            candidate.request.by,
            candidate.request.requested_at,
            "commitment" in candidate.request.form.accepts,
            candidate.request.form.groups,
            candidate.request.id,
        )
        for candidate, decision in admitted
    ]
    numbers = await enrolments.add(tx.session, new, PRIVACY_NOTICE, tx.now)
    return [
        Created(one.numbered(numbers[one.enrolment_id], decision.waitlist_position, tx.now), candidate.request.cause)
        for one, (candidate, decision) in zip(new, admitted, strict=True)
    ]


def _outcome(candidate: Candidate, decision: Decision) -> Outcome:
    if isinstance(decision, TurnedAway):
        return turned_away(decision.refusal)
    return Accepted(
        candidate.enrolment_id,
        candidate.workshop_id,
        decision.state,
        candidate.request.form.attendance,
        decision.waitlist_position,
    )
