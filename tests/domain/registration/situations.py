"""Situations in which seats are decided, drawn at random, and what a decision leads to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import strategies as st

from services.registration.domain import Admitted, Allocation, Request, Seats, Waiting, Way, allocate
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
