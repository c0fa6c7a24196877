"""What staff decide: to approve and to decline."""

from dataclasses import replace
from typing import Literal
from uuid import UUID

from services.registration import domain
from services.registration.domain import State, TurnedAway
from services.registration.operations import leaving, seating
from services.registration.operations.refusals import turned_away, wrong_state
from services.registration.repository import enrolments
from services.registration.repository.enrolments import Enrolment
from shared.database import Transaction
from shared.errors import Conflict

APPROVED = "approved"


async def approve(
    tx: Transaction, enrolment_id: UUID, by: str, when_full: Literal["refuse", "waitlist"] = "refuse"
) -> Enrolment:
    """Give a pending enrolment its seat; approved already, it stays so.

    Where no seat is left it raises Conflict `no-seat-left` (or `organisation-quota`) and the enrolment stays pending;
    unless staff ask that it then waits, in the place that its number gives it.
    """
    house, enrolment = await leaving.hold(tx, enrolment_id)
    if enrolment.state == "confirmed":
        return enrolment
    if enrolment.state != "pending_approval":
        raise wrong_state(enrolment, "confirmed")
    seats = {workshop_id: replace(these, approval="automatic") for workshop_id, these in house.seats.items()}
    request = domain.Request(
        enrolment_id, enrolment.workshop_id, enrolment.attendance, str(enrolment.person_id), enrolment.organisation_id
    )
    allocation = domain.allocate(seats, [one.waiting for one in house.queue.values()], [request])
    decision = allocation.decisions[0]
    full = isinstance(decision, TurnedAway) or decision.state == "waitlisted"
    if full and when_full == "refuse":
        if isinstance(decision, TurnedAway):
            raise turned_away(decision.refusal)
        slug = "no-seat-left"
        raise Conflict(slug, "No seat is left: the enrolment stays pending. Decline it, or let it wait for a seat.")
    state: State = "waitlisted" if full else "confirmed"
    move = seating.move(enrolment, state, by, APPROVED, tx)
    if state == "waitlisted":
        place = await enrolments.place(tx.session, enrolment)
        move = replace(move, after=replace(move.after, waitlist_position=place))
    await seating.settle(tx, house, [*seating.promotions(house, allocation.promoted, tx), move])
    return move.after


async def decline(tx: Transaction, enrolment_id: UUID, by: str, reason: str | None) -> Enrolment:
    """Turn an enrolment away, for good; a seat that it held goes to the queue."""
    return await leaving.leave(tx, enrolment_id, "declined", by, reason)
