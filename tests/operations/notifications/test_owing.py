"""Which events owe whom a notice, and how often."""

from datetime import timedelta

import pytest
import uuid_utils.compat as uuids

from services.notifications.domain import Rule
from shared.events.catalogue import WorkshopCancelled, WorkshopRescheduled
from shared.events.incidents import RecordDeadLettered
from shared.events.registration import (
    EnrolmentCancelled,
    EnrolmentConfirmed,
    EnrolmentDeclined,
    EnrolmentFact,
    EnrolmentWithdrawn,
    SeatCount,
    SeatsChanged,
)
from tests.operations.notifications.conftest import House, enrolment, person, step, workshop


def seats(of: uuids.UUID, left: int, capacity: int | None = 2) -> SeatsChanged:
    taken = (capacity or 0) - left
    count = SeatCount(capacity=capacity, confirmed=taken, offered=0, waitlisted=0, available=left)
    return SeatsChanged(workshop_id=of, seats={"online": count})


def incident(reason: str = "invalid") -> RecordDeadLettered:
    return RecordDeadLettered(service="registration", reason=reason, from_topic="inbound.registration.demo-crm")


async def test_a_redelivered_event_owes_one_notice(house: House) -> None:
    meeting, nuria = workshop(), person()
    created = enrolment(nuria, meeting)
    records = await house.tell(created)

    await house.redeliver(created, records)
    await house.redeliver(created, [*records, *records])

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert notice.recipient == str(nuria.person_id)
    assert notice.state == "owed"


@pytest.mark.parametrize(
    ("state", "rule"),
    [("confirmed", Rule.CONFIRMED), ("pending_approval", Rule.PENDING), ("waitlisted", Rule.WAITING)],
)
async def test_who_enrols_is_told_with_what_outcome(house: House, state: str, rule: Rule) -> None:
    await house.tell(enrolment(person(), workshop(), state=state))

    (notice,) = [each for each in await house.notices() if each.rule.startswith("participant.")]
    assert notice.rule == rule


@pytest.mark.parametrize(
    ("before", "shape", "state", "rule"),
    [
        ("waitlisted", EnrolmentConfirmed, "confirmed", Rule.PROMOTED),
        ("pending_approval", EnrolmentConfirmed, "confirmed", Rule.CONFIRMED),
        ("pending_approval", EnrolmentDeclined, "declined", Rule.DECLINED),
        ("confirmed", EnrolmentWithdrawn, "withdrawn", Rule.WITHDRAWN),
        ("confirmed", EnrolmentCancelled, "cancelled", Rule.CANCELLED),
    ],
)
async def test_each_later_step_is_told(
    house: House, before: str, shape: type[EnrolmentFact], state: str, rule: Rule
) -> None:
    created = enrolment(person(), workshop(), state=before)
    await house.tell(created)

    await house.tell(step(created, shape, state))

    assert (await house.notices(state="owed", rule=rule))[0].enrolment_id == created.enrolment_id


async def test_what_has_been_overtaken_before_it_was_sent_is_not_told(house: House) -> None:
    created = enrolment(person(), workshop())
    await house.tell(created)

    await house.tell(step(created, EnrolmentWithdrawn, "withdrawn"))

    (confirmation,) = await house.notices(rule=Rule.CONFIRMED)
    assert (confirmation.state, confirmation.reason) == ("suppressed", "overtaken")
    assert [kind for kind, _ in await house.said()] == ["notice.suppressed"]


async def test_an_older_state_that_arrives_late_changes_nothing(house: House) -> None:
    created = enrolment(person(), workshop())
    await house.tell(created)
    await house.tell(step(created, EnrolmentWithdrawn, "withdrawn"))

    await house.redeliver(created, [house.record(step(created, EnrolmentConfirmed, "confirmed"), sequence=1)])

    assert len([each for each in await house.notices() if each.rule.startswith("participant.")]) == 2


async def test_a_new_date_is_told_to_everyone_with_a_live_enrolment(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)
    nuria, pau, marta, joan = (person(name) for name in ("Núria Camps", "Pau Riba", "Marta Soler", "Joan Puig"))
    left = enrolment(joan, meeting)
    await house.tell(
        enrolment(nuria, meeting),
        enrolment(pau, meeting, state="waitlisted"),
        enrolment(marta, meeting, state="pending_approval"),
        left,
    )
    await house.tell(step(left, EnrolmentWithdrawn, "withdrawn"))

    await house.tell(workshop(WorkshopRescheduled, workshop_id=meeting.workshop_id))

    told = {each.recipient for each in await house.notices(rule=Rule.RESCHEDULED)}
    assert told == {str(each.person_id) for each in (nuria, pau, marta)}


async def test_each_new_date_is_told(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)
    await house.tell(enrolment(person(), meeting))

    for _ in range(2):
        await house.tell(workshop(WorkshopRescheduled, workshop_id=meeting.workshop_id))

    assert len(await house.notices(rule=Rule.RESCHEDULED)) == 2


async def test_a_cancelled_workshop_is_told_once_to_each(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)
    created = enrolment(person(), meeting)
    await house.tell(created)

    await house.tell(workshop(WorkshopCancelled, workshop_id=meeting.workshop_id, state="cancelled"))
    await house.tell(step(created, EnrolmentCancelled, "cancelled"))

    owed = [each.rule for each in await house.notices(state="owed") if each.rule.startswith("participant.")]
    assert owed == [Rule.CANCELLED]


async def test_new_enrolments_make_one_mail_a_workshop_and_quarter_of_an_hour(house: House) -> None:
    meeting, other = workshop(), workshop()
    await house.tell(meeting)
    await house.tell(other)
    for number in range(3):
        await house.tell(enrolment(person(f"Person{number}"), meeting), enrolment(person(f"Other{number}"), meeting))
    await house.tell(enrolment(person("Somebody"), other))

    notices = await house.notices(rule=Rule.NEW_ENROLMENTS)
    assert [each.recipient for each in notices] == ["staff:laia", "staff:laia"]
    await house.send()
    assert house.room.to("laia@example.cat") == []

    house.clock.forward(timedelta(minutes=15, seconds=11))
    await house.send()

    subjects = {str(each.message["Subject"]) for each in house.room.to("laia@example.cat")}
    assert subjects == {"6 new enrolments: First meeting", "1 new enrolment: First meeting"}
    assert len(house.room.to("laia@example.cat")) == len(subjects)
    await house.tell(enrolment(person("Late"), meeting))
    assert len(await house.notices(rule=Rule.NEW_ENROLMENTS)) == 3


async def test_a_full_workshop_is_told_once_per_crossing(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)
    for left in (1, 0, 0):
        await house.tell(seats(meeting.workshop_id, left))
    assert len(await house.notices(rule=Rule.WORKSHOP_FULL)) == 1

    for left in (1, 0):
        await house.tell(seats(meeting.workshop_id, left))

    assert len(await house.notices(rule=Rule.WORKSHOP_FULL)) == 2


async def test_seats_that_there_never_were_do_not_make_a_workshop_full(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)

    await house.tell(seats(meeting.workshop_id, 0, capacity=0))

    assert await house.notices(rule=Rule.WORKSHOP_FULL) == []


async def test_a_workshop_from_outside_is_told_to_staff_and_our_own_is_not(house: House) -> None:
    await house.tell(workshop())
    await house.tell(workshop(publisher="demo-cms", external_id="enabling"))

    (notice,) = await house.notices(rule=Rule.OUTSIDE_WORKSHOP)
    await house.send()

    assert notice.recipient == "staff:laia"
    assert "demo-cms" in str(house.room.to("laia@example.cat")[0].message["Subject"])


async def test_dead_letters_are_told_at_once_and_then_once_an_hour_with_the_count(house: House) -> None:
    await house.tell(incident(), key="registration")
    await house.send()
    for _ in range(4):
        house.clock.forward(timedelta(minutes=10))
        await house.tell(incident(), incident(), key="registration")
        await house.send()
    assert [str(each.message["Subject"]) for each in house.room.received] == ["1 dead letter in registration: invalid"]

    house.clock.forward(timedelta(minutes=20))
    await house.send()

    assert str(house.room.received[-1].message["Subject"]) == "8 dead letters in registration: invalid"
    assert "convoca dead-letters list --service registration" in house.room.received[-1].text


async def test_dead_letters_of_another_reason_are_told_at_once_too(house: House) -> None:
    await house.tell(incident(), incident("not-owner"), key="registration")

    await house.send()

    assert {str(each.message["Subject"]) for each in house.room.received} == {
        "1 dead letter in registration: invalid",
        "1 dead letter in registration: not-owner",
    }
