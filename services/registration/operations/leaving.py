"""To give up a seat or a place in the queue; a seat that becomes free goes to the queue in the same breath."""

from uuid import UUID

from services.registration import domain
from services.registration.domain import State, may_become
from services.registration.operations import seating
from services.registration.operations.refusals import unknown_enrolment, wrong_state
from services.registration.operations.seating import House
from services.registration.repository import enrolments, seats
from services.registration.repository.enrolments import Enrolment
from shared.database import Transaction


async def withdraw(tx: Transaction, enrolment_id: UUID, by: str, reason: str | None = None) -> Enrolment:
    """Withdraw an enrolment; one that is withdrawn already stays so. Raises NotFound, or Conflict `wrong-state`."""
    return await leave(tx, enrolment_id, "withdrawn", by, reason)


async def leave(tx: Transaction, enrolment_id: UUID, state: State, by: str, reason: str | None) -> Enrolment:
    """End an enrolment and promote whoever is next; to ask twice changes nothing."""
    house, enrolment = await hold(tx, enrolment_id)
    if enrolment.state == state:
        return enrolment
    if not may_become(enrolment.state, state):
        raise wrong_state(enrolment, state)
    moves = [seating.move(enrolment, state, by, reason, tx)]
    promoted = domain.allocate(house.seats, [one.waiting for one in house.queue.values()], ()).promoted
    await seating.settle(tx, house, moves + seating.promotions(house, promoted, tx))
    return moves[0].after


async def hold(tx: Transaction, enrolment_id: UUID) -> tuple[House, Enrolment]:
    """Hold the seats of an enrolment's workshop as if it had left; answers it as it stands under the lock."""
    seen = await find(tx, enrolment_id)
    await seats.lock(tx.session, {seen.workshop_id})
    enrolment = await find(tx, enrolment_id)
    return await seating.hold(tx, {enrolment.workshop_id}, leaving=[enrolment]), enrolment


async def find(tx: Transaction, enrolment_id: UUID) -> Enrolment:
    """Read an enrolment, with its place if it waits; raises NotFound."""
    enrolment = await enrolments.one(tx.session, enrolment_id)
    if enrolment is None:
        raise unknown_enrolment()
    return enrolment
