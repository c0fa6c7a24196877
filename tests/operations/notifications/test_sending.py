"""How what is owed is sent: to whom, in which words, and with what patience."""

import asyncio
from datetime import timedelta

import pytest

from services.notifications import domain
from services.notifications.domain import Rule
from services.notifications.operations.send import take_due
from shared.events.catalogue import JoiningChanged, JoinLink, WorkshopRescheduled
from tests.operations.notifications.conftest import NURIA, House, enrolled, enrolment, person, workshop
from tests.operations.notifications.smtp import ACCEPTED, event_of
from tests.waiting import PATIENCE


async def test_who_has_a_place_is_told_in_their_language_with_a_calendar_entry(house: House) -> None:
    created = await enrolled(house)

    await house.send()

    (mail,) = house.room.to(NURIA)
    assert mail.message["Subject"] == "Plaça confirmada: Primera reunió (10 de febrer de 2027)"
    assert mail.message["Reply-To"].addresses[0].addr_spec == "office@example.cat"
    assert f"/enrolments/{house.paper.links.enrolment_token(created.enrolment_id)}" in mail.text
    assert event_of(mail.calendar()) == (
        "REQUEST", f"{created.enrolment_id}-1@example.cat", 0, "2027-02-10T11:00:00+01:00",
    )  # fmt: skip
    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.language, notice.sent_at, notice.attempts) == ("sent", "ca", house.clock.now, 1)
    assert mail.message["Message-ID"] == f"<{notice.notice_id}@example.cat>"


async def test_the_bus_is_told_of_a_sent_notice_without_any_address(house: House) -> None:
    await enrolled(house)

    await house.send()

    ((kind, payload),) = await house.said()
    assert kind == "notice.sent"
    assert "@" not in payload


async def test_an_enrolment_that_comes_before_its_person_and_workshop_is_told_when_they_come(house: House) -> None:
    meeting, nuria = workshop(), person()
    await house.tell(enrolment(nuria, meeting))
    await house.send()
    await house.tell(meeting)
    await house.send()
    assert house.room.received == []

    await house.tell(nuria)
    await house.send()

    assert [mail.rule for mail in house.room.to(NURIA)] == [Rule.CONFIRMED]


async def test_who_becomes_known_while_their_notice_is_looked_at_is_told_soon(house: House) -> None:
    meeting, nuria = workshop(), person()
    await house.tell(meeting)
    await house.tell(enrolment(nuria, meeting))
    async with house.database.transaction(house.clock()) as tx:
        assert not (await take_due(tx, 1, 1, {})).sendings
        await house.tell(nuria)
    house.clock.forward(timedelta(milliseconds=100))

    await house.send()

    assert [mail.rule for mail in house.room.to(NURIA)] == [Rule.CONFIRMED]


async def test_a_sender_wakes_for_what_lacked_something(house: House) -> None:
    meeting = workshop()
    await house.tell(meeting)
    await house.tell(enrolment(person(), meeting))
    sender = house.sender()
    house.woken.clear()

    await sender.drain()

    async with asyncio.timeout(PATIENCE):
        await house.woken.wait()


async def test_who_never_becomes_known_is_given_up_in_the_end(house: House) -> None:
    meeting = workshop(starts_at=house.clock.now + timedelta(days=30))
    await house.tell(meeting)
    await house.tell(enrolment(person(), meeting))
    await house.send()

    house.clock.forward(domain.PATIENCE + timedelta(minutes=1))
    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason) == ("failed", "recipient-unknown")


async def test_an_enrolment_from_before_a_new_date_that_comes_after_it_is_told_the_new_date_once(house: House) -> None:
    meeting, nuria = workshop(), person()
    moved = workshop(
        WorkshopRescheduled,
        workshop_id=meeting.workshop_id,
        starts_at=meeting.sessions[0].starts_at + timedelta(days=7),
    )
    await house.tell(nuria)
    await house.tell(meeting)
    await house.tell(moved)
    await house.tell(enrolment(nuria, meeting))

    await house.send()

    (mail,) = house.room.to(NURIA)
    assert "17 de febrer" in str(mail.message["Subject"])
    assert await house.notices(rule=Rule.RESCHEDULED) == []


async def test_a_4xx_is_tried_again_after_a_while_and_then_sent(house: House) -> None:
    await enrolled(house)
    house.room.to_recipient = ["451 try again later", "451 try again later"]

    await house.send()
    await house.send()  # not yet due: not tried
    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason, notice.attempts) == ("owed", "smtp-451", 1)
    for _ in range(2):
        house.clock.forward(timedelta(seconds=5))
        await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason, notice.attempts) == ("sent", None, 3)
    assert len(house.room.received) == 1


async def test_patience_with_a_server_that_always_says_later_ends(house: House) -> None:
    await enrolled(house)
    house.room.to_recipient = ["451 try again later"] * 9  # staff are written to as well
    await house.send()

    house.clock.forward(domain.PATIENCE + timedelta(minutes=1))
    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason) == ("failed", "smtp-451")


@pytest.mark.parametrize("where", ["to_recipient", "to_content"])
async def test_a_5xx_ends_as_failed_with_its_code_and_no_address(house: House, where: str) -> None:
    await enrolled(house)
    setattr(house.room, where, [f"550 no such user {NURIA}"])

    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason, notice.sent_at) == ("failed", "smtp-550", None)
    ((kind, payload),) = await house.said()
    assert kind == "notice.failed"
    assert "@" not in payload


async def test_an_address_that_is_none_fails_and_holds_up_nobody(house: House) -> None:
    await enrolled(house, person(email="nobody\r\nBcc: all@example.org"))
    await enrolled(house, person("Pau Riba"))

    await house.send()

    assert {each.reason for each in await house.notices(state="failed")} == {"address-unusable"}
    assert [mail.recipient for mail in house.room.received] == ["pau@example.org"]


async def test_without_a_server_nothing_is_lost_and_nothing_is_in_doubt(house: House) -> None:
    await enrolled(house)
    await house.room.close()
    await house.send()
    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.attempts, notice.in_doubt) == ("owed", 0, False)

    await house.room.open()
    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, len(house.room.received)) == ("sent", 1)


async def test_only_who_has_a_place_is_told_how_to_join(house: House) -> None:
    meeting = workshop()
    link = JoinLink(number=1, join_url="https://meet.example.eu/small-giants")
    await house.tell(meeting)
    await house.tell(JoiningChanged(workshop_id=meeting.workshop_id, links=(link,)))
    nuria, pau = person(), person("Pau Riba")
    await house.tell(nuria, pau)
    await house.tell(enrolment(nuria, meeting), enrolment(pau, meeting, state="waitlisted", waitlist_position=1))

    await house.send()

    assert link.join_url in house.room.to(NURIA)[0].text
    assert link.join_url not in house.room.to("pau@example.org")[0].text


async def test_nobody_is_told_of_what_is_over(house: House) -> None:
    await enrolled(house)
    house.clock.forward(timedelta(days=90))

    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason) == ("suppressed", "workshop-over")
    assert house.room.to(NURIA) == []


async def test_a_refused_recipient_does_not_spoil_the_connection_for_the_next(house: House) -> None:
    for name in ("Núria Camps", "Pau Riba", "Marta Soler"):
        await enrolled(house, person(name))
        house.room.to_recipient = ["550 no"] if name == "Pau Riba" else [ACCEPTED]
        await house.send()

    assert [mail.recipient for mail in house.room.received] == [NURIA, "marta@example.org"]
