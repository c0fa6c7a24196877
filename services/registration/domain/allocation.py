"""Who gets a seat: one pure decision over any number of requests for any number of workshops."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self
from uuid import UUID

Attendance = Literal["in_person", "online"]
Refusal = Literal["already-enrolled", "refused-before", "organisation-quota"]


@dataclass(frozen=True, slots=True)
class Way:
    """Seats of one way of attending.

    `capacity` is None where there is no limit; `taken` counts the confirmed and the offered, and may exceed a
    capacity that was lowered; `waiting` counts all who wait.
    """

    capacity: int | None
    taken: int = 0
    waiting: int = 0

    @property
    def available(self) -> int | None:
        """Seats that are free, None for without limit."""
        return None if self.capacity is None else max(0, self.capacity - self.taken)

    @property
    def has_room(self) -> bool:
        """Tell whether one more may sit down."""
        return self.available != 0


@dataclass(frozen=True, slots=True)
class Seats:
    """What a workshop has to give, and to whom it has given.

    `per_organisation` is the most seats that one organisation may hold, over all ways of attending together;
    `held` is how many each holds. `enrolled` are those of the people asking who take part already, `refused` those
    whom staff turned away. `promotes` is false once the queue no longer moves, as after the start.
    """

    ways: Mapping[Attendance, Way]
    approval: Literal["automatic", "staff"] = "automatic"
    per_organisation: int | None = None
    held: Mapping[UUID, int] = field(default_factory=dict)
    enrolled: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    promotes: bool = True

    def without(self, attendance: Attendance, organisation_id: UUID | None) -> Self:
        """Give these seats after one who held a seat has left it."""
        way = self.ways[attendance]
        held = dict(self.held)
        if organisation_id is not None and organisation_id in held:
            held[organisation_id] -= 1
        return replace(self, ways={**self.ways, attendance: replace(way, taken=way.taken - 1)}, held=held)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One of the queue. `number` is the place in the order of acceptance, and never changes."""

    enrolment_id: UUID
    workshop_id: UUID
    attendance: Attendance
    organisation_id: UUID | None
    number: int


@dataclass(frozen=True, slots=True)
class Request:
    """One who asks for a seat; `person` is what they are known by."""

    enrolment_id: UUID
    workshop_id: UUID
    attendance: Attendance
    person: str
    organisation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that was taken, and what it got; with the place in the queue if it waits."""

    enrolment_id: UUID
    state: Literal["confirmed", "waitlisted", "pending_approval"]
    waitlist_position: int | None = None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A request that was not taken, and why."""

    enrolment_id: UUID
    refusal: Refusal


Decision = Admitted | TurnedAway


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who of the queue gets a seat, in order; then one decision for each request, in order."""

    promoted: tuple[Waiting, ...]
    decisions: tuple[Decision, ...]


def allocate(seats: Mapping[UUID, Seats], queue: Iterable[Waiting], requests: Sequence[Request]) -> Allocation:
    """Decide who gets a seat.

    `seats` holds every workshop that `queue` or `requests` name, and each request's way of attending; `queue` all
    who wait where there is room (those of a full way may be left out: they get nothing now). `requests` come in the
    order in which they were accepted.

    The queue goes first, by number; one whose organisation holds all it may is passed over and keeps the place.
    What is left goes to the requests. To decide a list at once or piece by piece gives the same.
    """
    tables = {workshop_id: _Table(these) for workshop_id, these in seats.items()}
    promoted = tuple(
        waiting for waiting in sorted(queue, key=lambda one: one.number) if tables[waiting.workshop_id].promote(waiting)
    )
    return Allocation(promoted, tuple(tables[request.workshop_id].decide(request) for request in requests))


class _Table:
    """A workshop's seats while they are being given."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._taken = Counter({attendance: way.taken for attendance, way in seats.ways.items()})
        self._waiting = Counter({attendance: way.waiting for attendance, way in seats.ways.items()})
        self._held = Counter(seats.held)
        self._enrolled = set(seats.enrolled)

    def promote(self, waiting: Waiting) -> bool:
        if not self._seats.promotes or not self._has_room(waiting.attendance) or self._has_all(waiting.organisation_id):
            return False
        self._seat(waiting.attendance, waiting.organisation_id)
        self._waiting[waiting.attendance] -= 1
        return True

    def decide(self, request: Request) -> Decision:
        if refusal := self._refusal(request):
            return TurnedAway(request.enrolment_id, refusal)
        self._enrolled.add(request.person)
        if self._seats.approval == "staff":
            return Admitted(request.enrolment_id, "pending_approval")
        if self._has_room(request.attendance):
            self._seat(request.attendance, request.organisation_id)
            return Admitted(request.enrolment_id, "confirmed")
        self._waiting[request.attendance] += 1
        return Admitted(request.enrolment_id, "waitlisted", self._waiting[request.attendance])

    def _refusal(self, request: Request) -> Refusal | None:
        if request.person in self._enrolled:
            return "already-enrolled"
        if request.person in self._seats.refused:
            return "refused-before"
        return "organisation-quota" if self._has_all(request.organisation_id) else None

    def _has_room(self, attendance: Attendance) -> bool:
        capacity = self._seats.ways[attendance].capacity
        return capacity is None or self._taken[attendance] < capacity

    def _has_all(self, organisation_id: UUID | None) -> bool:
        quota = self._seats.per_organisation
        return quota is not None and organisation_id is not None and self._held[organisation_id] >= quota

    def _seat(self, attendance: Attendance, organisation_id: UUID | None) -> None:
        self._taken[attendance] += 1
        if organisation_id is not None:
            self._held[organisation_id] += 1
