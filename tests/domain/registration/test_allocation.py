"""Who gets a seat, whatever comes: properties of `allocate`."""

from dataclasses import replace
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain import Admitted, Decision, Seats, TurnedAway, Waiting, Way, allocate
from tests.domain.registration.situations import (
    ORGANISATIONS,
    WORKSHOPS,
    Situation,
    after,
    decide,
    eligible,
    situations,
)


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
def test_the_queue_goes_by_number_however_it_is_handed_over(situation: Situation, random: Random) -> None:
    queue = list(situation.queue)
    random.shuffle(queue)
    assert allocate(situation.seats, queue, situation.requests) == decide(situation)[0]


@given(situations())
def test_a_queue_that_no_longer_moves_stays_as_it_is(situation: Situation) -> None:
    allocation, _ = decide(situation)
    assert all(situation.seats[one.workshop_id].promotes for one in allocation.promoted)


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
