"""How what is owed is sent: once, in order, with patience, and honestly where it cannot be known."""

import asyncio
import random
import sys
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import pytest
from icalendar import Calendar
from sqlalchemy.exc import DBAPIError

from services.notifications import domain
from services.notifications.clients import SmtpPost
from services.notifications.domain import Rule
from services.notifications.operations.send import take_due
from services.notifications.sender import Sender
from services.notifications.settings import SmtpServer
from shared.events.catalogue import JoiningChanged, JoinLink, WorkshopRescheduled
from shared.events.registration import EnrolmentFact, EnrolmentWithdrawn, PersonRegistered
from tests.operations.notifications.conftest import CATALOGUES, House, enrolment, person, step, workshop
from tests.operations.notifications.smtp import ACCEPTED, HANGS_UP
from tests.waiting import eventually

NURIA = "nuria@example.org"
CHANCE = random.Random(7)  # noqa: S311 - the same turns in each run


async def enrolled(house: House, who: PersonRegistered | None = None, state: str = "confirmed") -> EnrolmentFact:
    """Let somebody enrol in a meeting, all of it known."""
    meeting, somebody = workshop(), who or person()
    await house.tell(meeting)
    await house.tell(somebody)
    created = enrolment(somebody, meeting, state=state)
    await house.tell(created)
    return created


def event_of(calendar: bytes | None) -> tuple[str, str, int, str]:
    """Read a calendar as a mail program does: method, UID, SEQUENCE and start of its only event."""
    assert calendar is not None
    whole = Calendar.from_ical(calendar)
    (event,) = whole.walk("VEVENT")
    return str(whole["METHOD"]), str(event["UID"]), int(event.decoded("SEQUENCE")), event.decoded("DTSTART").isoformat()


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


async def test_a_server_that_hangs_up_after_taking_a_mail_gets_it_once_more_and_it_ends_as_uncertain(
    house: House,
) -> None:
    await enrolled(house)
    house.room.to_content = [HANGS_UP]
    await house.send()

    for _ in range(3):
        house.clock.forward(timedelta(hours=1))
        await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert notice.state == "uncertain"
    first, second = house.room.to(NURIA)
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_who_hangs_up_twice_is_not_tried_a_third_time(house: House) -> None:
    await enrolled(house)
    house.room.to_content = [HANGS_UP, HANGS_UP]

    for _ in range(4):
        await house.send()
        house.clock.forward(timedelta(hours=1))

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, len(house.room.to(NURIA))) == ("uncertain", 2)


async def test_a_process_killed_between_acceptance_and_mark_leaves_one_more_mail_and_an_honest_word(
    house: House,
) -> None:
    await enrolled(house)
    url = house.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.operations.notifications.dies", url, str(house.room.port)
    )
    assert await process.wait() == -9
    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.claim is None) == ("owed", False)

    await house.send()
    await house.send()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.reason) == ("uncertain", "interrupted")
    first, second = house.room.to(NURIA)
    assert first.message["Message-ID"] == second.message["Message-ID"]


@dataclass
class SlowPost:
    """Takes mails, but is slow to say so."""

    post: SmtpPost
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    took: int = 0

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> None:
        """Take it, and return when it may."""
        await self.post.hand_over(sender, recipient, content)
        self.took += 1
        await self.may_answer.wait()

    async def close(self) -> None:
        """Let go."""
        await self.post.close()

    async def has_taken(self) -> bool:
        """Tell whether a mail is on its way."""
        return self.took > 0


def slow(house: House) -> SlowPost:
    return SlowPost(SmtpPost(SmtpServer("127.0.0.1", house.room.port, "smtp")))


@dataclass
class UnevenPost:
    """Takes mails as fast or as slowly as the database takes a statement, as chance will have it; keeps count."""

    taken: list[bytes] = field(default_factory=list)

    async def hand_over(self, _sender: str, _recipient: str, content: bytes) -> None:
        """Take it."""
        await asyncio.sleep(CHANCE.random() * 0.01)
        self.taken.append(content)

    async def close(self) -> None:
        """Let go."""


async def test_what_comes_back_while_the_sender_looks_for_lost_work_is_not_sent_again(house: House) -> None:
    for number in range(60):
        await enrolled(house, person(f"Núria {number}", email=f"nuria{number}@example.org"))
    post = UnevenPost()
    sender = Sender(house.database, house.clock, post, house.paper, CATALOGUES, house.woken, recover_every=0)
    running = asyncio.create_task(sender.run())

    async def all_sent() -> bool:
        return not await house.notices(rule=Rule.CONFIRMED, state="owed")

    await eventually(all_sent, "all mails to be sent")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(post.taken) == len(set(post.taken)) == 60


async def test_what_a_living_sender_has_in_hand_is_left_to_it(house: House) -> None:
    await enrolled(house)
    post = slow(house)
    first = asyncio.create_task(house.sender_by(post).drain())
    await eventually(post.has_taken, "a mail on its way")

    await house.send()
    post.may_answer.set()
    await first

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, len(house.room.received)) == ("sent", 1)


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


async def test_two_senders_side_by_side_send_each_mail_once_over_few_connections(house: House) -> None:
    meeting = workshop()
    people = [person(f"Person{number}") for number in range(60)]
    await house.tell(meeting)
    await house.tell(*people)
    await house.tell(*(enrolment(each, meeting) for each in people))

    await asyncio.gather(house.send(), house.send())

    assert sorted(mail.recipient for mail in house.room.received) == sorted(each.email for each in people)
    assert house.room.connections <= 16


async def test_a_sender_that_is_stopped_finishes_what_it_has_in_hand(house: House) -> None:
    await enrolled(house)
    post = slow(house)
    running = asyncio.create_task(house.sender_by(post).run())
    await eventually(post.has_taken, "a mail on its way")

    running.cancel()
    await asyncio.sleep(0)
    post.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert notice.state == "sent"


async def test_a_running_sender_sends_as_soon_as_something_is_owed(house: House) -> None:
    running = asyncio.create_task(house.sender().run())
    await enrolled(house)

    async def marked() -> bool:
        return bool(await house.notices(rule=Rule.CONFIRMED, state="sent"))

    await eventually(marked, "a mail that is sent and marked")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert len(house.room.to(NURIA)) == 1


async def test_a_refused_recipient_does_not_spoil_the_connection_for_the_next(house: House) -> None:
    for name in ("Núria Camps", "Pau Riba", "Marta Soler"):
        await enrolled(house, person(name))
        house.room.to_recipient = ["550 no"] if name == "Pau Riba" else [ACCEPTED]
        await house.send()

    assert [mail.recipient for mail in house.room.received] == [NURIA, "marta@example.org"]


async def test_a_database_that_goes_away_while_a_mail_is_on_its_way_leaves_nothing_in_doubt(house: House) -> None:
    await enrolled(house)
    post = slow(house)
    sender = house.sender_by(post)
    running = asyncio.create_task(sender.run())
    await eventually(post.has_taken, "a mail on its way")
    admin = await asyncpg.connect(
        house.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()
    post.may_answer.set()
    with pytest.raises(DBAPIError):
        await running

    await sender.drain()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.attempts, len(house.room.to(NURIA))) == ("sent", 1, 1)


async def test_what_a_sender_claimed_without_hearing_so_is_sent_without_doubt(house: House) -> None:
    """A commit may succeed though its answer is lost: the claim stands, and no mail has gone."""
    await enrolled(house)
    sender = house.sender()
    async with house.database.transaction(house.clock()) as tx:
        assert await take_due(tx, sender.claim, 1, {})

    await sender.drain()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.attempts, len(house.room.to(NURIA))) == ("sent", 1, 1)
