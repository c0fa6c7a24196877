"""Owing notices, in the transaction that takes the event which calls for them."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json

from services.notifications import domain
from services.notifications.domain import Rule
from services.notifications.operations import keep
from services.notifications.operations.announce import announce
from services.notifications.operations.keep import Wake
from services.notifications.repository import copies, owing
from services.notifications.repository.owing import Gathered, Owed
from shared.database import Transaction
from shared.events.catalogue import WorkshopEvent, WorkshopRescheduled, WorkshopScheduled
from shared.events.incidents import RecordDeadLettered
from shared.events.registration import EnrolmentCreated, EnrolmentEvent, SeatsChanged
from shared.messaging.envelope import Envelope
from shared.messaging.follow import Delivery, newer


@dataclass(frozen=True, slots=True)
class Office:
    """Who of the office is told, by name; and how the sender hears that something is owed."""

    staff: tuple[str, ...]
    wake: Wake


async def note_enrolments(tx: Transaction, deliveries: Sequence[Delivery[EnrolmentEvent]], office: Office) -> None:
    """Keep enrolments, and owe their holders and the staff what each step calls for.

    A step that has been overtaken before its notice was sent is not told of any more.
    """
    known = await copies.enrolments_before(tx.session, {each.event.enrolment_id for each in deliveries})
    newest: dict[UUID, copies.EnrolmentCopy] = {}
    moved_on: set[UUID] = set()
    owed: list[Owed] = []
    created: list[Delivery[EnrolmentEvent]] = []
    sequences = {enrolment: sequence for enrolment, (sequence, _) in known.items()}
    for each in newer(deliveries, sequences, lambda event: event.enrolment_id):
        event, sequence = each.event, each.envelope.sequence or 0
        _, before = known.get(event.enrolment_id, (0, None))
        known[event.enrolment_id] = sequence, event.state
        newest[event.enrolment_id] = _copy(event, sequence)
        if before is not None:
            moved_on.add(event.enrolment_id)
        if isinstance(event, EnrolmentCreated):
            created.append(each)
        if rule := domain.participant_rule(event.type, event.state, before):
            owed.append(_to_participant(tx, each, rule))
    if not newest:
        return
    await copies.save_enrolments(tx.session, list(newest.values()))
    await owing.owe(tx.session, owed, tx.now)
    await _overtake(tx, {each: newest[each].state for each in moved_on})
    await _gather_new(tx, created, office)
    if owed:
        tx.after_commit(office.wake)


async def note_workshop(tx: Transaction, event: WorkshopEvent, office: Office) -> bool:
    """Keep a workshop; owe those enrolled the news of a new date, and staff that of a workshop from outside.

    False, and nothing, where this is not newer than what is kept.
    """
    cause = _cause(tx)
    news, before = await keep.keep_workshop(tx, event, cause.sequence or 0, office.wake)
    if not news:
        return False
    if isinstance(event, WorkshopRescheduled):
        live = await copies.live_enrolments(tx.session, event.workshop_id, domain.LIVE)
        details = to_json({"before": before.sessions if before else []}).decode()
        owed = [
            Owed(
                event_id=cause.id,
                rule=Rule.RESCHEDULED,
                recipient=str(person),
                due_at=tx.now,
                workshop_id=event.workshop_id,
                person_id=person,
                enrolment_id=enrolment,
                correlation_id=_correlation(cause),
                traceparent=cause.traceparent,
                details=details,
            )
            for enrolment, person in live
        ]
    elif isinstance(event, WorkshopScheduled) and event.publisher is not None:
        owed = _to_staff(tx, cause, Rule.OUTSIDE_WORKSHOP, office, event.workshop_id)
    else:
        return True
    await owing.owe(tx.session, owed, tx.now)
    tx.after_commit(office.wake)
    return True


async def note_seats(tx: Transaction, deliveries: Sequence[Delivery[SeatsChanged]], office: Office) -> None:
    """Owe staff a notice when a way of attending becomes full, once per crossing."""
    known = await copies.seats_before(tx.session, {each.event.workshop_id for each in deliveries})
    newest: dict[UUID, tuple[int, copies.Available]] = {}
    owed: list[Owed] = []
    sequences = {workshop: sequence for workshop, (sequence, _) in known.items()}
    for each in newer(deliveries, sequences, lambda event: event.workshop_id):
        workshop, sequence = each.event.workshop_id, each.envelope.sequence or 0
        available: dict[str, int | None] = {
            way: count.available for way, count in each.event.seats.items() if count.capacity != 0
        }
        before = known.get(workshop)
        known[workshop] = newest[workshop] = (sequence, available)
        if full := domain.newly_full(before[1] if before else None, available):
            owed += _to_staff(tx, each.envelope, Rule.WORKSHOP_FULL, office, workshop, json.dumps({"full": full}))
    if newest:
        await copies.save_seats(tx.session, newest)
    if owed:
        await owing.owe(tx.session, owed, tx.now)
        tx.after_commit(office.wake)


async def note_incidents(tx: Transaction, deliveries: Sequence[Delivery[RecordDeadLettered]], office: Office) -> None:
    """Owe staff the dead letters: at once the first of a service and reason, then one an hour with the count."""
    kinds: dict[str, list[Delivery[RecordDeadLettered]]] = {}
    for each in deliveries:
        kinds.setdefault(f"{each.event.service}:{each.event.reason}", []).append(each)
    for subject, alike in sorted(kinds.items()):
        window = domain.at_once_then_hourly(await owing.last_window(tx.session, Rule.DEAD_LETTERS, subject), tx.now)
        first = Gathered(subject, alike[0].envelope.id, len(alike))
        if await owing.gather(tx.session, Rule.DEAD_LETTERS, window, [first]):
            event = alike[0].event
            details = event.model_dump_json(include={"service", "reason", "from_topic", "source"})
            notices = _to_staff(tx, alike[0].envelope, Rule.DEAD_LETTERS, office, None, details, due_at=window.due_at)
            await owing.owe(tx.session, notices, tx.now)
            tx.after_commit(office.wake)


async def _gather_new(tx: Transaction, created: Sequence[Delivery[EnrolmentEvent]], office: Office) -> None:
    """Count new enrolments into their workshop's quarter of an hour; who opens it owes staff its mail."""
    counts = Counter(each.event.workshop_id for each in created)
    if not counts:
        return
    firsts = {each.event.workshop_id: each.envelope for each in reversed(created)}
    window = domain.quarter(tx.now)
    opened = await owing.gather(
        tx.session,
        Rule.NEW_ENROLMENTS,
        window,
        (Gathered(str(workshop), firsts[workshop].id, count) for workshop, count in counts.items()),
    )
    notices: list[Owed] = []
    for each in opened:
        workshop = UUID(each.subject)
        notices += _to_staff(tx, firsts[workshop], Rule.NEW_ENROLMENTS, office, workshop, due_at=window.due_at)
    await owing.owe(tx.session, notices, tx.now)


async def _overtake(tx: Transaction, states: dict[UUID, str]) -> None:
    untrue: dict[UUID, Collection[Rule]] = {each: domain.overtaken_rules(state) for each, state in states.items()}
    announce(tx, "suppressed", await owing.overtake(tx.session, untrue))


def _to_participant(tx: Transaction, delivery: Delivery[EnrolmentEvent], rule: Rule) -> Owed:
    event = delivery.event
    return Owed(
        event_id=delivery.envelope.id,
        rule=rule,
        recipient=str(event.person_id),
        due_at=tx.now,
        workshop_id=event.workshop_id,
        person_id=event.person_id,
        enrolment_id=event.enrolment_id,
        correlation_id=_correlation(delivery.envelope),
        traceparent=delivery.envelope.traceparent,
    )


def _to_staff(
    tx: Transaction,
    cause: Envelope,
    rule: Rule,
    office: Office,
    workshop_id: UUID | None,
    details: str = "{}",
    due_at: datetime | None = None,
) -> list[Owed]:
    return [
        Owed(
            event_id=cause.id,
            rule=rule,
            recipient=domain.STAFF + name,
            due_at=due_at or tx.now,
            workshop_id=workshop_id,
            correlation_id=_correlation(cause),
            traceparent=cause.traceparent,
            details=details,
        )
        for name in office.staff
    ]


def _copy(event: EnrolmentEvent, sequence: int) -> copies.EnrolmentCopy:
    return copies.EnrolmentCopy(
        enrolment_id=event.enrolment_id,
        sequence=sequence,
        workshop_id=event.workshop_id,
        person_id=event.person_id,
        attendance=event.attendance,
        state=event.state,
        waitlist_position=event.waitlist_position,
    )


def _cause(tx: Transaction) -> Envelope:
    if tx.cause is None:
        message = "notices are owed for events"
        raise ValueError(message)
    return tx.cause


def _correlation(cause: Envelope) -> str:
    return cause.correlation_id or cause.id
