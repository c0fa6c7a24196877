"""What calendars are told: an invitation, its changes and its end, in their order and under one name."""

import asyncio
from datetime import timedelta

from services.notifications.domain import Rule
from shared.events.catalogue import WorkshopRescheduled
from shared.events.registration import EnrolmentWithdrawn
from tests.operations.notifications.conftest import NURIA, House, enrolled, step, workshop
from tests.operations.notifications.posts import slow
from tests.operations.notifications.smtp import event_of
from tests.waiting import eventually


async def test_a_cancellation_never_overtakes_the_invitation(house: House) -> None:
    created = await enrolled(house)
    post = slow(house)
    first = asyncio.create_task(house.sender_by(post).drain())
    await eventually(post.has_taken, "the invitation on its way")
    await house.tell(step(created, EnrolmentWithdrawn, "withdrawn"))

    await house.send()
    assert [mail.rule for mail in house.room.to(NURIA)] == [Rule.CONFIRMED]
    post.may_answer.set()
    await first
    await house.send()

    request, cancel = (event_of(mail.calendar()) for mail in house.room.to(NURIA))
    assert (request[0], cancel[0]) == ("REQUEST", "CANCEL")
    assert request[1] == cancel[1]
    assert (request[2], cancel[2]) == (0, 1)


async def test_who_was_never_invited_is_sent_no_cancellation_for_the_calendar(house: House) -> None:
    created = await enrolled(house)
    await house.tell(step(created, EnrolmentWithdrawn, "withdrawn"))

    await house.send()

    (mail,) = house.room.to(NURIA)
    assert (mail.rule, mail.calendar()) == (Rule.WITHDRAWN, None)


async def test_a_new_date_brings_the_calendar_entry_up_to_date_under_its_old_name(house: House) -> None:
    created = await enrolled(house)
    await house.send()
    before = event_of(house.room.received[0].calendar())
    starts_at = house.clock.now + timedelta(days=60)

    await house.tell(workshop(WorkshopRescheduled, workshop_id=created.workshop_id, starts_at=starts_at))
    await house.send()
    await house.tell(workshop(WorkshopRescheduled, workshop_id=created.workshop_id, starts_at=starts_at))
    await house.send()

    moved, again = (event_of(mail.calendar()) for mail in house.room.received[1:])
    assert moved[:3] == ("REQUEST", before[1], 1)
    assert again == moved, "what did not change does not raise SEQUENCE"
    assert "Abans:" in house.room.received[1].text
