"""A key under which one asks: to ask twice is to ask once."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from services.registration import operations
from services.registration.operations import Keyed, Outcome, Overtaken, Request
from shared.events.registration import EnrolmentForm
from tests.clock import HandClock
from tests.operations.registration.conftest import Desk, accepted, app_of, form, refused, workshop


async def ask(desk: Desk, place: UUID, *asked: tuple[str | None, EnrolmentForm]) -> list[Outcome]:
    """Ask in one batch, each under its key."""
    async with desk.database.transaction(desk.clock()) as tx:
        return await operations.enrol_once(tx, [Keyed(Request(place, each), key) for key, each in asked])


async def test_the_same_key_and_body_get_the_same_answer_whatever_has_happened_since(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    await desk.enrolled(place, "ada")
    (first,) = await ask(desk, place, ("k", form("ben")))
    await desk.withdraw(accepted(first).enrolment_id)
    assert await ask(desk, place, ("k", form("ben"))) == [first]
    assert accepted(first).waitlist_position == 1
    assert await desk.states(place) == {"ada": "confirmed", "ben": "withdrawn"}


async def test_a_refusal_is_the_same_refusal_again(desk: Desk) -> None:
    place = await desk.keep(workshop())
    first, _ = await desk.enrolled(place, "ada", "ben")
    (outcome,) = await ask(desk, place, ("k", form("ada")))
    assert refused(outcome) == "already-enrolled"
    await desk.withdraw(first)
    assert refused((await ask(desk, place, ("k", form("ada"))))[0]) == "already-enrolled"


async def test_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    place = await desk.keep(workshop())
    first, other, again = await ask(desk, place, ("k", form("ada")), ("k", form("ben")), ("k", form("ada")))
    assert first is again
    assert refused(other) == "idempotency-key-reused"
    assert refused((await ask(desk, place, ("k", form("carme"))))[0]) == "idempotency-key-reused"
    assert await desk.states(place) == {"ada": "confirmed"}


async def test_a_key_is_free_again_after_a_day(desk: Desk) -> None:
    place = await desk.keep(workshop())
    await ask(desk, place, ("k", form("ada")))
    desk.clock.forward(timedelta(hours=24))
    assert accepted((await ask(desk, place, ("k", form("ben"))))[0])
    desk.clock.forward(timedelta(hours=24))
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.forget_keys(tx)
    assert not await desk.rows("SELECT * FROM idempotency_keys")


async def test_where_nothing_was_decided_the_key_stays_free(desk: Desk) -> None:
    fact = workshop()
    (outcome,) = await ask(desk, fact.workshop_id, ("k", form("ada")))
    assert refused(outcome) == "unknown-workshop"
    await desk.keep(fact)
    assert accepted((await ask(desk, fact.workshop_id, ("k", form("ada"))))[0])


async def test_of_two_who_ask_at_once_under_one_key_one_decides_and_both_hear_it(
    desk: Desk, url: str, clock: HandClock
) -> None:
    place = await desk.keep(workshop())
    processes = [app_of(url, clock) for _ in range(4)]
    asked = [Keyed(Request(place, form("ada")), "k"), *(Keyed(Request(place, form(f"p{n}"))) for n in range(4))]
    answers = await asyncio.gather(
        *(app.state.desk.enrol(each) for n, app in enumerate(processes) for each in (asked[0], asked[n + 1]))
    )
    for app in processes:
        await app.state.service.database.close()
    assert len({accepted(outcome).enrolment_id for outcome in answers[::2]}) == 1
    assert len(await desk.states(place)) == 5


async def test_who_is_overtaken_leaves_nothing_behind(desk: Desk) -> None:
    first, second = await desk.keep(workshop()), await desk.keep(workshop())
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.enrol_once(tx, [Keyed(Request(first, form("ada")), "k")])
        overtaken = asyncio.create_task(ask(desk, second, ("k", form("ben"))))
        while not await desk.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - the database knows
            await asyncio.sleep(0)
    with pytest.raises(Overtaken):
        await overtaken
    assert await desk.states(first) == {"ada": "confirmed"}
    assert await desk.states(second) == {}


async def test_what_is_kept_of_a_request_names_nobody(desk: Desk) -> None:
    place = await desk.keep(workshop())
    await ask(desk, place, ("k", form("zoe")))
    assert "zoe" not in str(await desk.rows("SELECT * FROM idempotency_keys"))
