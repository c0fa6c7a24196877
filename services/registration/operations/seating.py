"""The one way in which enrolments change: seats held locked, changes written together, everyone told."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from services.registration import domain
from services.registration.domain import HOLDING, Attendance, State
from services.registration.repository import enrolments, seats, workshops
from services.registration.repository.enrolments import Enrolment
from services.registration.repository.seats import Change, Counts
from services.registration.repository.workshops import Rules
from shared.database import Transaction
from shared.events.registration import (
    Actor,
    EnrolmentCancelled,
    EnrolmentConfirmed,
    EnrolmentCreated,
    EnrolmentDeclined,
    EnrolmentFact,
    EnrolmentWaitlisted,
    EnrolmentWithdrawn,
    SeatCount,
    SeatsChanged,
)
from shared.messaging.envelope import Envelope
from shared.observability import Origin

SEAT_FREED = "seat-freed"
_TOLD: Mapping[State, type[EnrolmentFact]] = {
    "confirmed": EnrolmentConfirmed,
    "waitlisted": EnrolmentWaitlisted,
    "declined": EnrolmentDeclined,
    "withdrawn": EnrolmentWithdrawn,
    "cancelled": EnrolmentCancelled,
}
_COUNTED: tuple[State, ...] = ("confirmed", "offered", "waitlisted")


@dataclass(frozen=True, slots=True)
class House:
    """Workshops whose seats this transaction holds locked: rules, seats, and who waits where there is room."""

    rules: Mapping[UUID, Rules]
    counts: Mapping[UUID, Counts]
    seats: Mapping[UUID, domain.Seats]
    queue: Mapping[UUID, Enrolment]


@dataclass(frozen=True, slots=True)
class Move:
    """An enrolment that goes from one state to another."""

    before: Enrolment
    after: Enrolment


@dataclass(frozen=True, slots=True)
class Created:
    """An enrolment that was added, and the event or the HTTP request that asked for it, if one did."""

    enrolment: Enrolment
    cause: Envelope | Origin | None


async def hold(tx: Transaction, workshop_ids: Collection[UUID], *, leaving: Sequence[Enrolment] = ()) -> House:
    """Lock the seats of workshops and read what is needed to give them.

    `leaving` are those about to give up theirs: to the rules, their seats are free. What is read after the lock is
    the newest there is: whoever changes a workshop or an enrolment of it holds this lock.
    """
    counts = await seats.lock(tx.session, workshop_ids)
    rules = await workshops.rules_of(tx.session, counts)
    limited = [each.workshop_id for each in rules.values() if each.per_organisation is not None]
    held = await enrolments.held(tx.session, limited)
    given = {workshop_id: _seats(rules[workshop_id], counts[workshop_id], held, tx) for workshop_id in counts}
    for one in leaving:
        if one.state in HOLDING:
            given[one.workshop_id] = given[one.workshop_id].without(one.attendance, one.organisation_id)
    there_is_room = [
        (workshop_id, attendance)
        for workshop_id, these in given.items()
        for attendance, way in these.ways.items()
        if these.promotes and way.waiting and way.has_room
    ]
    waiting = await enrolments.queue(tx.session, there_is_room)
    gone = {one.enrolment_id for one in leaving}
    return House(rules, counts, given, {one.enrolment_id: one for one in waiting if one.enrolment_id not in gone})


def promotions(house: House, promoted: Iterable[domain.Waiting], tx: Transaction) -> list[Move]:
    """Give the moves by which those promoted get their seats."""
    return [move(house.queue[one.enrolment_id], "confirmed", "system", SEAT_FREED, tx) for one in promoted]


def move(enrolment: Enrolment, state: State, by: str, reason: str | None, tx: Transaction) -> Move:
    """Give the move of an enrolment to another state."""
    return Move(enrolment, enrolment.moved(state, by, reason, tx.now))


async def settle(
    tx: Transaction,
    house: House,
    moves: Sequence[Move],
    *,
    created: Sequence[Created] = (),
    altered: Collection[UUID] = (),
) -> None:
    """Write moves down, count them and those `created` into the seats, and tell of all.

    Of `altered` workshops the seats are told even if nobody came or went.
    """
    if moves:
        await enrolments.move(tx.session, [(each.before, each.after) for each in moves], tx.now)
    for one in created:
        _tell(tx, EnrolmentCreated, one.enrolment, one.cause)
    for each in moves:
        _tell(tx, _TOLD[each.after.state], each.after)
    come = [one.enrolment for one in created] + [each.after for each in moves]
    changes = _changes(house.counts, come, [each.before for each in moves], altered)
    if changes:
        await seats.change(tx.session, changes)
    for workshop_id in {workshop_id for workshop_id, _ in changes}:
        counts = house.counts[workshop_id]
        now = {way: _counted(count, changes[workshop_id, way]) for way, count in counts.items()}
        told = SeatsChanged(workshop_id=workshop_id, seats=on_offer(now))
        tx.emit(told, key=workshop_id, sequence=max(count.sequence for count in now.values()))


def on_offer(counts: Counts) -> dict[Attendance, SeatCount]:
    """Give the seats as they are told: of ways that are on offer, or that somebody still has a part in."""
    return {
        attendance: SeatCount(
            capacity=each.capacity,
            confirmed=each.confirmed,
            offered=each.offered,
            waitlisted=each.waitlisted,
            available=each.way.available,
        )
        for attendance, each in counts.items()
        if each.on_offer or each.confirmed or each.offered or each.waitlisted
    }


def _tell(tx: Transaction, shape: type[EnrolmentFact], one: Enrolment, cause: Envelope | Origin | None = None) -> None:
    told = shape(
        enrolment_id=one.enrolment_id,
        workshop_id=one.workshop_id,
        person_id=one.person_id,
        organisation_id=one.organisation_id,
        attendance=one.attendance,
        state=one.state,
        number=one.number,
        waitlist_position=one.waitlist_position,
        accepted_at=one.accepted_at,
        requested_at=one.requested_at,
        reason=one.reason,
        by=cast("Actor", one.by.partition(":")[0]),
    )
    tx.emit(told, key=one.enrolment_id, sequence=one.sequence, cause=cause)


def _changes(
    counts: Mapping[UUID, Counts], come: Iterable[Enrolment], gone: Iterable[Enrolment], altered: Collection[UUID]
) -> dict[tuple[UUID, Attendance], Change]:
    """Count those that came to a state and those that left one, in each way of every workshop that this touches."""
    totals = Counter((one.workshop_id, one.attendance, one.state) for one in come)
    totals.subtract((one.workshop_id, one.attendance, one.state) for one in gone)
    touched = {workshop_id for (workshop_id, _, state), more in totals.items() if more and state in _COUNTED}
    return {
        (workshop_id, way): Change(*(totals[workshop_id, way, state] for state in _COUNTED))
        for workshop_id in sorted(touched.union(altered))
        for way in counts[workshop_id]
    }


def _counted(count: seats.Count, change: Change) -> seats.Count:
    return replace(
        count,
        confirmed=count.confirmed + change.confirmed,
        offered=count.offered + change.offered,
        waitlisted=count.waitlisted + change.waitlisted,
        sequence=count.sequence + 1,
    )


def _seats(rules: Rules, counts: Counts, held: Mapping[UUID, Mapping[UUID, int]], tx: Transaction) -> domain.Seats:
    return domain.Seats(
        ways={attendance: count.way for attendance, count in counts.items()},
        approval=rules.approval,
        per_organisation=rules.per_organisation,
        held=held.get(rules.workshop_id, {}),
        promotes=domain.still_promotes(rules.dates, tx.now),
    )
