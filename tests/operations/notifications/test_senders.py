"""Senders that die, stop, stand side by side or lose a connection: each mail once, or honestly in doubt."""

import asyncio
import sys
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from services.notifications.domain import Rule
from services.notifications.operations.send import take_due
from services.notifications.sender import AT_ONCE, Sender
from tests.operations.notifications.conftest import CATALOGUES, NURIA, House, enrolled, enrolment, person, workshop
from tests.operations.notifications.posts import UnevenPost, slow
from tests.operations.notifications.smtp import HANGS_UP
from tests.waiting import eventually


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


async def test_two_senders_side_by_side_send_each_mail_once_over_few_connections(house: House) -> None:
    meeting = workshop()
    people = [person(f"Person{number}") for number in range(60)]
    await house.tell(meeting)
    await house.tell(*people)
    await house.tell(*(enrolment(each, meeting) for each in people))

    await asyncio.gather(house.send(), house.send())

    assert sorted(mail.recipient for mail in house.room.received) == sorted(each.email for each in people)
    assert house.room.connections <= 2 * AT_ONCE < len(people)


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
        assert (await take_due(tx, sender.claim, 1, {})).sendings

    await sender.drain()

    (notice,) = await house.notices(rule=Rule.CONFIRMED)
    assert (notice.state, notice.attempts, len(house.room.to(NURIA))) == ("sent", 1, 1)
