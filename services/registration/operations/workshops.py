"""What the catalogue tells, and what follows from it for those who take part."""

from services.registration import domain
from services.registration.operations import seating
from services.registration.operations.seating import Move
from services.registration.repository import enrolments, seats, workshops
from shared.database import Transaction
from shared.events.catalogue import JoiningChanged, WorkshopFact

WORKSHOP_CANCELLED = "workshop-cancelled"


async def keep_workshop(tx: Transaction, fact: WorkshopFact, sequence: int) -> bool:
    """Keep a workshop and do what it means for its seats; false, and nothing, where it is not newer than ours.

    More seats go to the queue at once; fewer take none from anybody; with a cancelled one every live enrolment ends.
    """
    counts = (await seats.lock(tx.session, {fact.workshop_id})).get(fact.workshop_id, {})
    if not await workshops.keep(tx.session, fact, sequence):
        return False
    altered = {way: count.capacity for way, count in counts.items() if count.on_offer} != fact.seats
    if altered:
        version = max((count.sequence for count in counts.values()), default=0)
        gone = counts.keys() - fact.seats.keys()
        await seats.provide(tx.session, fact.workshop_id, fact.seats, gone, version)
    house = await seating.hold(tx, {fact.workshop_id})
    moves: list[Move]
    if fact.state == "cancelled":
        live = await enrolments.live(tx.session, fact.workshop_id)
        moves = [seating.move(one, "cancelled", "system", WORKSHOP_CANCELLED, tx) for one in live]
    else:
        allocation = domain.allocate(house.seats, [one.waiting for one in house.queue.values()], ())
        moves = seating.promotions(house, allocation.promoted, tx)
    await seating.settle(tx, house, moves, altered={fact.workshop_id} if altered else ())
    return True


async def keep_joining(tx: Transaction, fact: JoiningChanged, sequence: int) -> bool:
    """Keep how one joins a workshop online, known yet or not; false where this is not newer than what is kept."""
    return await workshops.keep_joining(tx.session, fact.workshop_id, sequence, fact.links)
