"""What registration follows: the workshops, how one joins them, and what outside systems ask."""

from collections.abc import Sequence
from itertools import groupby

from services.registration import operations
from services.registration.operations import Request, Withdrawal
from shared.database import Transaction
from shared.errors import Problem
from shared.events.catalogue import JoiningChanged, WorkshopEvent
from shared.events.registration import (
    EnrolmentRequested,
    OutsideEnrolmentWithdrawn,
    OutsideOrganisationRegistered,
    OutsideRegistrationEvent,
)
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


@follow.batch(INBOUND["registration"], events=OutsideRegistrationEvent)
async def take_outside(deliveries: Sequence[Delivery[OutsideRegistrationEvent]], tx: Transaction) -> None:
    """Do what outside systems ask, in the order in which they do; requests that come in a row are decided together.

    What refers to a workshop or an enrolment that is not known yet waits for it.
    """
    if withdrawals := [asked for each in deliveries if (asked := _withdrawal(each))]:
        await operations.hold_all(tx, _requests(deliveries), withdrawals)
    for of_requests, run in groupby(deliveries, key=lambda each: isinstance(each.event, EnrolmentRequested)):
        if of_requests:
            await _enrol(list(run), tx)
        else:
            for delivery in run:
                await _heed(delivery, tx)


async def _enrol(deliveries: Sequence[Delivery[OutsideRegistrationEvent]], tx: Transaction) -> None:
    outcomes = await operations.enrol(tx, _requests(deliveries))
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if isinstance(outcome, Problem):
            delivery.refuse(outcome)


async def _heed(delivery: Delivery[OutsideRegistrationEvent], tx: Transaction) -> None:
    """Do what one event asks; what refuses it does so before anything is written."""
    before, tx.cause = tx.cause, delivery.envelope
    try:
        if asked := _withdrawal(delivery):
            await operations.withdraw_outside(tx, asked)
        elif isinstance(delivery.event, OutsideOrganisationRegistered):
            sequence = delivery.envelope.sequence
            await operations.take_organisation(tx, _publisher(delivery), delivery.event, sequence)
    except Problem as problem:
        delivery.refuse(problem)
    finally:
        tx.cause = before


def _requests(deliveries: Sequence[Delivery[OutsideRegistrationEvent]]) -> list[Request]:
    return [
        Request(
            each.event.workshop_id,
            each.event,
            f"publisher:{_publisher(each)}",
            each.event.requested_at,
            each.envelope,
        )
        for each in deliveries
        if isinstance(each.event, EnrolmentRequested)
    ]


def _withdrawal(delivery: Delivery[OutsideRegistrationEvent]) -> Withdrawal | None:
    event = delivery.event
    if not isinstance(event, OutsideEnrolmentWithdrawn):
        return None
    return Withdrawal(_publisher(delivery), event.enrolment_id, event.reason)


def _publisher(delivery: Delivery[OutsideRegistrationEvent]) -> str:
    if delivery.publisher is None:
        message = "an event from outside has a publisher"
        raise ValueError(message)
    return delivery.publisher


def _version(tx: Transaction) -> int:
    """Give the version of the aggregate that the event at hand tells of; the oldest, where it does not say."""
    return tx.cause.sequence or 0 if tx.cause else 0
