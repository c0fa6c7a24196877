"""Keeping what others tell, so that a mail is addressed and written from the newest there is."""

from collections.abc import Callable, Sequence

from services.notifications.repository import copies
from shared.database import Transaction
from shared.events.catalogue import JoiningChanged, WorkshopFact
from shared.events.registration import PersonEvent
from shared.messaging.follow import Delivery, newer

Wake = Callable[[], None]


async def keep_people(tx: Transaction, deliveries: Sequence[Delivery[PersonEvent]], wake: Wake) -> None:
    """Keep the newest of people, and let go what waited for one of them to be known."""
    known = await copies.people_before(tx.session, {each.event.person_id for each in deliveries})
    people = (
        copies.PersonCopy(
            person_id=each.event.person_id,
            sequence=each.envelope.sequence or 0,
            name=each.event.name,
            email=each.event.email,
            language=each.event.language,
        )
        for each in newer(deliveries, known, lambda event: event.person_id)
    )
    if await copies.save_people(tx.session, people, tx.now):
        tx.after_commit(wake)


async def keep_workshop(
    tx: Transaction, fact: WorkshopFact, sequence: int, wake: Wake
) -> tuple[bool, WorkshopFact | None]:
    """Keep the newest of a workshop; answers whether this is news, and how the workshop was known until then."""
    news, before = await copies.save_workshop(tx.session, fact.workshop_id, sequence, fact.model_dump_json())
    if before is None and await copies.hasten_workshop(tx.session, fact.workshop_id, tx.now):
        tx.after_commit(wake)
    return news, read_workshop(before)


async def keep_joining(tx: Transaction, event: JoiningChanged) -> bool:
    """Keep the join links of a workshop; false where these are not newer than those kept."""
    sequence = tx.cause.sequence if tx.cause else None
    return await copies.save_joining(tx.session, event.workshop_id, sequence or 0, event.model_dump_json())


def read_workshop(data: str | None) -> WorkshopFact | None:
    """Read a workshop as it was kept."""
    return None if data is None else WorkshopFact.model_validate_json(data)
