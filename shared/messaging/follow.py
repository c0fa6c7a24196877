"""How a service says what it follows: one function per stream, and no word on delivery."""

import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound, Outdated, Problem
from shared.events.base import Event
from shared.events.topics import Topic
from shared.messaging.dead_letters import Fault
from shared.messaging.envelope import Envelope, Record

E = TypeVar("E", bound=Event)
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Waits:
    """What an event refers to is not known yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The event was understood and answered with no."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The event tells of nothing newer than what is known, so it changed nothing."""

    detail: str | None = None


Verdict = Waits | Refused | Stale | Fault


def verdict_on(problem: Problem) -> Verdict:
    """Say what a problem means for an event: the bus's one mapping of the kinds of error."""
    if isinstance(problem, NotFound):
        return Waits(problem.slug)
    if isinstance(problem, Outdated):
        return Stale(f"{problem.slug}: {problem.detail}")
    if isinstance(problem, Conflict):
        return Refused(problem.slug, problem.detail)
    fields = problem.fields if isinstance(problem, Invalid) else ()
    return Fault(problem.slug, "; ".join([problem.detail, *(f"{name}: {fault}" for name, fault in fields)]))


@dataclass(slots=True)
class Delivery(Generic[E]):
    """An event as it was delivered; `publisher` is the outside system that sent it, None for our own.

    Without a word it is done when the handler returns.
    """

    event: E
    envelope: Envelope
    record: Record
    publisher: str | None = None
    verdict: Verdict | None = None

    def refuse(self, problem: Problem) -> None:
        """Answer this event with a problem, and only this: the rest of the batch stands."""
        self.verdict = verdict_on(problem)


def newer(
    deliveries: Sequence[Delivery[E]], known: Mapping[UUID, int], aggregate: Callable[[E], UUID]
) -> list[Delivery[E]]:
    """Give those that tell of something newer than what is `known`, and than one another; the others become stale.

    `known` is the sequence of each aggregate that is kept; one that is not kept yet has none.
    """
    newest, news = dict(known), []
    for each in deliveries:
        about, sequence = aggregate(each.event), each.envelope.sequence or 0
        if about in newest and sequence <= newest[about]:
            each.verdict = Stale()
        else:
            newest[about] = sequence
            news.append(each)
    return news


Handler = Callable[[Any, Transaction], Awaitable[Stale | None]]
BatchHandler = Callable[[Sequence[Delivery[Any]], Transaction], Awaitable[None]]
Decorator = Callable[[Handler], Handler]
BatchDecorator = Callable[[BatchHandler], BatchHandler]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Streams that are followed by one function.

    `name` is the inbox's consumer, `group` the consumer group that takes the records: never change them.
    """

    name: str
    group: str
    topics: tuple[Topic, ...]
    events: dict[str, type[Event]]
    handle: BatchHandler
    patience: timedelta

    @property
    def inbound(self) -> bool:
        """Tell whether outside systems write here, so that what is unknown is their fault."""
        return self.topics[0].inbound

    def follows(self, topic: str) -> bool:
        """Tell whether the topic of that name is one of those followed."""
        if self.inbound:
            return topic.startswith(f"{self.topics[0].name}.")
        return any(topic == each.name for each in self.topics)


class Followers:
    """The subscriptions of one service; what it follows of our own streams is taken by one consumer group, `group`."""

    def __init__(self, service: str, group: str | None = None) -> None:
        self.service = service
        self._group = group or service
        self.subscriptions: list[Subscription] = []

    def __call__(
        self, *topics: Topic, events: object, patience: timedelta = PATIENCE, name: str | None = None
    ) -> Decorator:
        """Follow `topics` an event at a time: `handler(event, tx)`, where `tx.cause` is the event's envelope.

        `events` is the event class, or the union of those that matter here; others on the stream are passed over
        (on an inbound one they are dead letters). NotFound lets the event wait for as long as `patience`. A handler
        that finds it not newer than what is known answers Stale.
        """

        def decorate(handler: Handler) -> Handler:
            async def one_by_one(deliveries: Sequence[Delivery[Any]], tx: Transaction) -> None:
                for delivery in deliveries:
                    tx.cause = delivery.envelope
                    delivery.verdict = await handler(delivery.event, tx)

            self._add(topics, events, patience, name, one_by_one)
            return handler

        return decorate

    def batch(
        self, *topics: Topic, events: object, patience: timedelta = PATIENCE, name: str | None = None
    ) -> BatchDecorator:
        """Follow `topics` many events at a time: `handler(deliveries, tx)`; `delivery.refuse()` speaks of one."""

        def decorate(handler: BatchHandler) -> BatchHandler:
            self._add(topics, events, patience, name, handler)
            return handler

        return decorate

    def _add(
        self, topics: tuple[Topic, ...], events: object, patience: timedelta, name: str | None, handle: BatchHandler
    ) -> None:
        classes: Sequence[type[Event]] = typing.get_args(events) or (typing.cast("type[Event]", events),)
        named = f"{self.service}.{name or topics[0].name}"
        self.subscriptions.append(
            Subscription(
                name=named,
                group=named if topics[0].inbound else self._group,
                topics=topics,
                events={each.type: each for each in classes},
                handle=handle,
                patience=patience,
            )
        )
