"""Who gets a seat, whatever comes: properties of `allocate`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain import (
    Admitted,
    Allocation,
    Decision,
    Request,
    Seats,
    TurnedAway,
    Waiting,
    Way,
    allocate,
)
from services.registration.domain.allocation import Attendance

WORKSHOPS = [UUID(int=1), UUID(int=2)]
ORGANISATIONS = [UUID(int=101), UUID(int=102), UUID(int=103)]
PEOPLE = ["ada", "ben", "carme", "dan", "eva", "fina", "gil", "hug"]
WAYS: tuple[Attendance, ...] = ("in_person", "online")


@dataclass(frozen=True)
class Situation:
    """What a decision starts from; the queue names only who waits, as the database does."""

    seats: dict[UUID, Seats]
    queue: tuple[Waiting, ...]
    requests: tuple[Request, ...]


organisations = st.one_of(st.none(), st.sampled_from(ORGANISATIONS))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Draw workshops with seats taken (at times more than there are), a queue, and requests."""
    queue = tuple(
        Waiting(UUID(int=1000 + number), workshop, attendance, organisation, number)
        for number, (workshop, attendance, organisation) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from(WORKSHOPS), st.sampled_from(WAYS), organisations), max_size=8))
        )
    )
    requests = tuple(
        Request(UUID(int=2000 + number), *asked)
        for number, asked in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(WORKSHOPS), st.sampled_from(WAYS), st.sampled_from(PEOPLE), organisations
                    ),
                    max_size=12,
                )
            )
        )
    )
    waiting = Counter((one.workshop_id, one.attendance) for one in queue)
    seats = {
        workshop: Seats(
            ways={
                attendance: Way(
                    capacity=draw(st.one_of(st.none(), st.integers(0, 6))),
                    taken=draw(st.integers(0, 6)),
                    waiting=waiting[workshop, attendance],
                )
                for attendance in WAYS
            },
            approval=draw(st.sampled_from(["automatic", "automatic", "staff"])),
            per_organisation=draw(st.one_of(st.none(), st.integers(1, 3))),
            held=draw(st.dictionaries(st.sampled_from(ORGANISATIONS), st.integers(0, 3))),
            enrolled=draw(st.frozensets(st.sampled_from(PEOPLE), max_size=2)),
            refused=draw(st.frozensets(st.sampled_from(PEOPLE), max_size=2)),
            promotes=draw(st.sampled_from([True, True, True, False])),
        )
        for workshop in WORKSHOPS
    }
    return Situation(seats, queue, requests)


def after(situation: Situation, allocation: Allocation, requests: Sequence[Request]) -> Situation:
    """Give the situation once a decision on `requests` has been carried out; their ids rise as their numbers do."""
    gone = {one.enrolment_id for one in allocation.promoted}
    got = {one.enrolment_id: one.state for one in allocation.decisions if isinstance(one, Admitted)}
    seated = [(one.workshop_id, one.attendance, one.organisation_id) for one in allocation.promoted] + [
        (one.workshop_id, one.attendance, one.organisation_id)
        for one in requests
        if got.get(one.enrolment_id) == "confirmed"
    ]
    queue = [one for one in situation.queue if one.enrolment_id not in gone] + [
        Waiting(one.enrolment_id, one.workshop_id, one.attendance, one.organisation_id, one.enrolment_id.int)
        for one in requests
        if got.get(one.enrolment_id) == "waitlisted"
    ]
    waiting = Counter((one.workshop_id, one.attendance) for one in queue)
    return Situation(
        {
            workshop: replace(
                seats,
                ways={
                    attendance: replace(
                        way,
                        taken=way.taken + sum((workshop, attendance) == sitting[:2] for sitting in seated),
                        waiting=waiting[workshop, attendance],
                    )
                    for attendance, way in seats.ways.items()
                },
                enrolled=seats.enrolled
                | {one.person for one in requests if one.workshop_id == workshop and one.enrolment_id in got},
                held=Counter(seats.held)
                + Counter(sitting[2] for sitting in seated if sitting[0] == workshop and sitting[2]),
            )
            for workshop, seats in situation.seats.items()
        },
        tuple(queue),
        situation.requests,
    )


def decide(situation: Situation) -> tuple[Allocation, Situation]:
    """Decide everything at once; answers what was decided and what it led to."""
    allocation = allocate(situation.seats, situation.queue, situation.requests)
    return allocation, after(situation, allocation, situation.requests)


def eligible(seats: Mapping[UUID, Seats], one: Waiting) -> bool:
    """Tell whether one who waits could be given a seat."""
    these = seats[one.workshop_id]
    quota = these.per_organisation
    held = these.held.get(one.organisation_id, 0) if one.organisation_id else 0
    return these.promotes and these.ways[one.attendance].has_room and (quota is None or held < quota)


@given(situations())
def test_no_more_seats_are_taken_than_there_are_or_than_were_taken_before(situation: Situation) -> None:
    _, end = decide(situation)
    for workshop, seats in end.seats.items():
        for attendance, way in seats.ways.items():
            before = situation.seats[workshop].ways[attendance].taken
            assert way.capacity is None or way.taken <= max(way.capacity, before)


@given(situations())
def test_nobody_who_could_have_a_seat_waits_while_one_is_free(situation: Situation) -> None:
    _, end = decide(situation)
    assert not [one for one in end.queue if eligible(end.seats, one)]


@given(situations())
def test_nobody_jumps_the_queue(situation: Situation) -> None:
    allocation, end = decide(situation)
    seated = {one.enrolment_id for one in allocation.promoted}
    later = [
        (request.workshop_id, request.attendance)
        for request, decision in zip(situation.requests, allocation.decisions, strict=True)
        if _state(decision) == "confirmed"
    ]
    for one in situation.queue:
        if one.enrolment_id in seated or not situation.seats[one.workshop_id].promotes:
            continue
        quota_is_reached = not _within_quota(end, one)
        behind = [
            other
            for other in allocation.promoted
            if (other.workshop_id, other.attendance, other.number > one.number)
            == (one.workshop_id, one.attendance, True)
        ]
        overtaken = behind or (one.workshop_id, one.attendance) in later
        assert not overtaken or quota_is_reached


def _state(decision: Decision) -> str | None:
    return decision.state if isinstance(decision, Admitted) else None


def _within_quota(situation: Situation, one: Waiting) -> bool:
    seats = situation.seats[one.workshop_id]
    if seats.per_organisation is None or one.organisation_id is None:
        return True
    return seats.held.get(one.organisation_id, 0) < seats.per_organisation


@given(situations())
def test_requests_are_served_in_the_order_in_which_they_came(situation: Situation) -> None:
    allocation, _ = decide(situation)
    waits: set[tuple[UUID, str]] = set()
    for request, decision in zip(situation.requests, allocation.decisions, strict=True):
        way = (request.workshop_id, request.attendance)
        if _state(decision) == "waitlisted":
            waits.add(way)
        assert not (_state(decision) == "confirmed" and way in waits)


@given(situations())
def test_no_organisation_gets_more_seats_than_it_may_hold(situation: Situation) -> None:
    _, end = decide(situation)
    for workshop, seats in end.seats.items():
        for organisation, held in seats.held.items():
            before = situation.seats[workshop].held.get(organisation, 0)
            assert seats.per_organisation is None or held <= max(before, seats.per_organisation)


@given(situations())
def test_a_refusal_for_the_quota_means_that_the_quota_is_used_up(situation: Situation) -> None:
    allocation, end = decide(situation)
    for request, decision in zip(situation.requests, allocation.decisions, strict=True):
        if decision == TurnedAway(request.enrolment_id, "organisation-quota"):
            seats = end.seats[request.workshop_id]
            assert seats.per_organisation is not None
            assert request.organisation_id is not None
            assert seats.held[request.organisation_id] >= seats.per_organisation


@given(situations())
def test_nobody_takes_part_twice_and_nobody_refused_comes_back(situation: Situation) -> None:
    allocation, _ = decide(situation)
    part = [
        (request.workshop_id, request.person)
        for request, decision in zip(situation.requests, allocation.decisions, strict=True)
        if isinstance(decision, Admitted)
    ]
    assert len(part) == len(set(part))
    for workshop, person in part:
        assert person not in situation.seats[workshop].enrolled | situation.seats[workshop].refused


@given(situations(), st.data())
def test_any_split_of_the_accepted_order_gives_the_same(situation: Situation, data: st.DataObject) -> None:
    whole, end = decide(situation)
    promoted: list[Waiting] = []
    decisions: list[Decision] = []
    state = situation
    left = list(situation.requests)
    while True:
        size = data.draw(st.integers(0, len(left)), label="batch")
        batch, left = left[:size], left[size:]
        allocation = allocate(state.seats, state.queue, batch)
        state = after(state, allocation, batch)
        promoted += allocation.promoted
        decisions += allocation.decisions
        if not left:
            break
    assert (tuple(promoted), tuple(decisions)) == (whole.promoted, whole.decisions)
    assert state == end


@given(situations())
def test_places_in_the_queue_run_on_from_those_who_wait(situation: Situation) -> None:
    allocation, _ = decide(situation)
    places: dict[tuple[UUID, str], list[int]] = {}
    for request, decision in zip(situation.requests, allocation.decisions, strict=True):
        if isinstance(decision, TurnedAway):
            continue
        assert (decision.waitlist_position is not None) == (decision.state == "waitlisted")
        if decision.waitlist_position is not None:
            places.setdefault((request.workshop_id, request.attendance), []).append(decision.waitlist_position)
    for way, positions in places.items():
        stay = sum((one.workshop_id, one.attendance) == way for one in situation.queue) - sum(
            (one.workshop_id, one.attendance) == way for one in allocation.promoted
        )
        assert positions == list(range(stay + 1, stay + 1 + len(positions)))


@given(situations())
def test_those_who_wait_for_a_full_way_may_be_left_out(situation: Situation) -> None:
    there_is_room = [one for one in situation.queue if situation.seats[one.workshop_id].ways[one.attendance].has_room]
    assert allocate(situation.seats, there_is_room, situation.requests) == decide(situation)[0]


@given(situations())
def test_what_needs_approval_holds_no_seat(situation: Situation) -> None:
    allocation, _ = decide(situation)
    for request, decision in zip(situation.requests, allocation.decisions, strict=True):
        asks = situation.seats[request.workshop_id].approval == "staff"
        assert isinstance(decision, TurnedAway) or asks == (decision.state == "pending_approval")


@given(situations(), st.randoms(use_true_random=False))
def test_the_queue_goes_by_number_however_it_is_handed_over(situation: Situation, random: object) -> None:
    queue = list(situation.queue)
    random.shuffle(queue)  # type: ignore[attr-defined]
    assert allocate(situation.seats, queue, situation.requests) == decide(situation)[0]


def test_one_passed_over_for_the_quota_keeps_the_place() -> None:
    workshop, city = WORKSHOPS[0], ORGANISATIONS[0]
    first = Waiting(UUID(int=1), workshop, "online", city, 1)
    second = Waiting(UUID(int=2), workshop, "online", None, 2)
    full = Seats({"online": Way(2, taken=1, waiting=2)}, per_organisation=1, held={city: 1})
    assert allocate({workshop: full}, [first, second], ()).promoted == (second,)
    freed = replace(full, held={city: 0})
    assert allocate({workshop: freed}, [first, second], ()).promoted == (first,)


def test_one_seat_fewer_is_taken_once_somebody_has_left() -> None:
    city = ORGANISATIONS[0]
    seats = Seats({"online": Way(1, taken=1)}, per_organisation=1, held={city: 1})
    left = seats.without("online", city)
    assert left.ways["online"] == Way(1, taken=0)
    assert left.held == {city: 0}
    assert seats.without("online", None).held == {city: 1}


def test_lowered_capacity_shows_no_seats_rather_than_fewer_than_none() -> None:
    assert Way(2, taken=5).available == 0
    assert Way(None, taken=5).available is None
    assert Way(None, taken=5).has_room
