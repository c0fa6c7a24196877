"""What this service follows: one function per stream."""

from collections.abc import Sequence
from datetime import timedelta

from services.notifications.operations import keep, owe
from services.notifications.operations.owe import Office
from shared.database import Transaction
from shared.events import topics
from shared.events.catalogue import JoiningChanged, WorkshopEvent
from shared.events.incidents import RecordDeadLettered
from shared.events.registration import EnrolmentEvent, PersonEvent, SeatsChanged
from shared.messaging.follow import Delivery, Followers, Stale

PATIENCE = timedelta(minutes=5)


def followers(office: Office) -> Followers:
    """Make this service's subscriptions; `office` says who of the staff is told."""
    follow = Followers("notifications")

    @follow.batch(topics.PEOPLE, events=PersonEvent, patience=PATIENCE)
    async def note_people(deliveries: Sequence[Delivery[PersonEvent]], tx: Transaction) -> None:
        await keep.keep_people(tx, deliveries, office.wake)

    @follow(topics.WORKSHOPS, events=WorkshopEvent, patience=PATIENCE)
    async def note_workshops(event: WorkshopEvent, tx: Transaction) -> Stale | None:
        return None if await owe.note_workshop(tx, event, office) else Stale()

    @follow(topics.JOINING, events=JoiningChanged, patience=PATIENCE)
    async def note_joining(event: JoiningChanged, tx: Transaction) -> Stale | None:
        return None if await keep.keep_joining(tx, event) else Stale()

    @follow.batch(topics.ENROLMENTS, events=EnrolmentEvent, patience=PATIENCE)
    async def note_enrolments(deliveries: Sequence[Delivery[EnrolmentEvent]], tx: Transaction) -> None:
        await owe.note_enrolments(tx, deliveries, office)

    @follow.batch(topics.SEATS, events=SeatsChanged, patience=PATIENCE)
    async def note_seats(deliveries: Sequence[Delivery[SeatsChanged]], tx: Transaction) -> None:
        await owe.note_seats(tx, deliveries, office)

    @follow.batch(*topics.INCIDENTS.values(), events=RecordDeadLettered, patience=PATIENCE, name="incidents")
    async def note_incidents(deliveries: Sequence[Delivery[RecordDeadLettered]], tx: Transaction) -> None:
        await owe.note_incidents(tx, deliveries, office)

    return follow
