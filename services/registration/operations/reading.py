"""What one may look at; nothing here changes anything."""

from dataclasses import dataclass
from uuid import UUID

from services.registration.domain import Attendance, Closed, closed_because
from services.registration.operations.leaving import find
from services.registration.operations.refusals import unknown_workshop
from services.registration.operations.seating import on_offer
from services.registration.repository import histories, people, seats, workshops
from services.registration.repository.enrolments import Enrolment
from services.registration.repository.histories import Listed, Step
from services.registration.repository.people import Named
from services.registration.repository.workshops import Rules
from shared.database import Transaction
from shared.events.catalogue import WorkshopFact
from shared.events.registration import SeatCount


@dataclass(frozen=True, slots=True)
class Life:
    """An enrolment and its steps."""

    enrolment: Enrolment
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Offer:
    """A workshop as one sees it who wants to take part; `closed` is why one cannot enrol."""

    rules: Rules
    fact: WorkshopFact
    seats: dict[Attendance, SeatCount]
    closed: Closed | None


@dataclass(frozen=True, slots=True)
class Part:
    """An enrolment as its holder sees it; join links only for who has a seat."""

    life: Life
    who: Named
    fact: WorkshopFact
    links: dict[int, str]


async def life(tx: Transaction, enrolment_id: UUID) -> Life:
    """Read an enrolment and how it came to be; raises NotFound."""
    enrolment = await find(tx, enrolment_id)
    return Life(enrolment, await histories.steps(tx.session, enrolment_id))


async def seats_of(tx: Transaction, workshop_id: UUID) -> dict[Attendance, SeatCount]:
    """Read the seats of a workshop per way of attending; raises NotFound."""
    counts = await seats.read(tx.session, workshop_id)
    if not counts:
        raise unknown_workshop()
    return on_offer(counts)


async def taking_part(tx: Transaction, workshop_id: UUID, after: int, limit: int) -> list[Listed]:
    """Read who takes part in a workshop, or did, in the order of acceptance; raises NotFound."""
    if not await workshops.rules_of(tx.session, {workshop_id}):
        raise unknown_workshop()
    return await histories.listed(tx.session, workshop_id, after, limit)


async def offer(tx: Transaction, slug: str) -> Offer:
    """Read a workshop that one may want to enrol in; raises NotFound."""
    whole = None if "\0" in slug else await workshops.by_slug(tx.session, slug)  # PostgreSQL has no text with a null
    if whole is None:
        raise unknown_workshop()
    counts = await seats.read(tx.session, whole.rules.workshop_id)
    return Offer(whole.rules, whole.fact, on_offer(counts), closed_because(whole.rules.dates, tx.now))


async def part(tx: Transaction, enrolment_id: UUID) -> Part:
    """Read an enrolment for its holder; raises NotFound."""
    found = await life(tx, enrolment_id)
    whole = await workshops.by_id(tx.session, found.enrolment.workshop_id)
    if whole is None:
        raise unknown_workshop()
    who = await people.named(tx.session, found.enrolment.person_id, found.enrolment.organisation_id)
    seated = found.enrolment.state == "confirmed"
    links = await workshops.join_links(tx.session, found.enrolment.workshop_id) if seated else {}
    return Part(found, who, whole.fact, links)
