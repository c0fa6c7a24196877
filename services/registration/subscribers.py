"""What registration follows: the workshops, how one joins them, and what outside systems ask."""

from collections.abc import Sequence

from services.registration import operations
from services.registration.operations import Request
from shared.database import Transaction
from shared.errors import Problem
from shared.events.catalogue import JoiningChanged, WorkshopEvent
from shared.events.registration import EnrolmentRequested
from shared.events.topics import INBOUND, JOINING, WORKSHOPS
from shared.messaging.follow import Delivery, Followers, Stale

follow = Followers("registration")


@follow(WORKSHOPS, events=WorkshopEvent)
async def keep_workshops(event: WorkshopEvent, tx: Transaction) -> Stale | None:
    """Keep our own copy of each workshop, and give and take back seats as it says."""
    return None if await operations.keep_workshop(tx, event, _version(tx)) else Stale()


@follow(JOINING, events=JoiningChanged)
async def keep_join_links(event: JoiningChanged, tx: Transaction) -> Stale | None:
    """Keep how one joins each workshop, for those who have a seat."""
    return None if await operations.keep_joining(tx, event, _version(tx)) else Stale()


@follow.batch(INBOUND["registration"], events=EnrolmentRequested)
async def take_requests(deliveries: Sequence[Delivery[EnrolmentRequested]], tx: Transaction) -> None:
    """Enrol those for whom outside systems ask; for a workshop that is not known yet the request waits."""
    outcomes = await operations.enrol(tx, [_request(each) for each in deliveries])
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if isinstance(outcome, Problem):
            delivery.refuse(outcome)


def _request(delivery: Delivery[EnrolmentRequested]) -> Request:
    event = delivery.event
    return Request(event.workshop_id, event, f"publisher:{delivery.publisher}", event.requested_at, delivery.envelope)


def _version(tx: Transaction) -> int:
    """Give the version of the aggregate that the event at hand tells of; the oldest, where it does not say."""
    return tx.cause.sequence or 0 if tx.cause else 0
