"""A seat that becomes free goes to the queue; nobody loses one by a change of the workshop."""

import pytest

from services.registration import operations
from shared.errors import Conflict, NotFound
from shared.events.catalogue import Terms
from tests.operations.registration.conftest import START, Desk, form, got, refused, workshop


async def test_a_freed_seat_goes_to_the_first_who_waits(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, second, _ = await desk.enrolled(place, "ada", "ben", "carme")
    await desk.withdraw(first)
    assert await desk.states(place) == {"ada": "withdrawn", "ben": "confirmed", "carme": "waitlisted"}
    told = await desk.told("enrolment.withdrawn", "enrolment.confirmed")
    assert [each["type"] for each in told] == ["enrolment.withdrawn", "enrolment.confirmed"]
    assert told[1]["data"]["enrolment_id"] == str(second)
    assert dict(told[1]["headers"])["ce_sequence"] == "0000000002"
    async with desk.database.transaction(desk.clock()) as tx:
        life = await operations.life(tx, second)
    assert [(step.before, step.after, step.by) for step in life.steps] == [
        (None, "waitlisted", "participant"),
        ("waitlisted", "confirmed", "system"),
    ]


async def test_to_withdraw_twice_frees_one_seat(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, *_ = await desk.enrolled(place, "ada", "ben", "carme")
    await desk.withdraw(first)
    await desk.withdraw(first)
    assert await desk.states(place) == {"ada": "withdrawn", "ben": "confirmed", "carme": "waitlisted"}
    assert len(await desk.told("enrolment.withdrawn")) == 1


async def test_one_who_waits_may_leave_and_the_others_move_up(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    _, second, third = await desk.enrolled(place, "ada", "ben", "carme")
    await desk.withdraw(second)
    async with desk.database.transaction(desk.clock()) as tx:
        assert (await operations.life(tx, third)).enrolment.waitlist_position == 1


async def test_after_the_start_a_freed_seat_stays_free(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, _ = await desk.enrolled(place, "ada", "ben")
    desk.clock.forward(START - desk.clock())
    await desk.withdraw(first)
    assert await desk.states(place) == {"ada": "withdrawn", "ben": "waitlisted"}


async def test_more_seats_go_to_the_queue_at_once(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 1})
    place = await desk.keep(fact)
    await desk.enrolled(place, "ada", "ben", "carme", "dan")
    await desk.keep(fact.model_copy(update={"seats": {"in_person": 3}}))
    assert list((await desk.states(place)).values()) == ["confirmed"] * 3 + ["waitlisted"]
    sequences = [dict(each["headers"])["ce_sequence"] for each in await desk.told("seats.changed")]
    assert sequences == ["0000000001", "0000000002", "0000000003"]


async def test_fewer_seats_take_none_from_anybody(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 3})
    place = await desk.keep(fact)
    first, second, _, _ = await desk.enrolled(place, "ada", "ben", "carme", "dan")
    await desk.keep(fact.model_copy(update={"seats": {"in_person": 1}}))
    assert list((await desk.states(place)).values()) == ["confirmed"] * 3 + ["waitlisted"]
    assert (await desk.told("seats.changed"))[-1]["data"]["seats"]["in_person"]["available"] == 0
    await desk.withdraw(first)
    assert (await desk.seats(place))["ceiling"] == 2
    await desk.withdraw(second)
    assert got(await desk.enrol(place, form("eva"))) == [("waitlisted", 2)]
    assert (await desk.states(place))["dan"] == "waitlisted"


async def test_a_way_of_attending_that_is_taken_back_leaves_people_their_seats(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 2, "online": None})
    place = await desk.keep(fact)
    await desk.enrolled(place, "ada")
    await desk.keep(fact.model_copy(update={"seats": {"online": None}}))
    assert await desk.states(place) == {"ada": "confirmed"}
    assert refused((await desk.enrol(place, form("ben")))[0]) == "invalid"


async def test_seats_without_limit_may_become_few_and_again_without_limit(desk: Desk) -> None:
    fact = workshop(seats={"in_person": None})
    place = await desk.keep(fact)
    await desk.enrolled(place, "ada", "ben", "carme")
    await desk.keep(fact.model_copy(update={"seats": {"in_person": 1}}))
    assert got(await desk.enrol(place, form("dan"))) == [("waitlisted", 1)]
    await desk.keep(fact)
    assert set((await desk.states(place)).values()) == {"confirmed"}
    assert (await desk.seats(place))["ceiling"] is None


async def test_an_older_fact_changes_nothing(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 2})
    place = await desk.keep(fact)
    await desk.keep(fact)
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.keep_workshop(tx, fact.model_copy(update={"seats": {"in_person": 9}}), 1)
    assert (await desk.seats(place))["capacity"] == 2


async def test_with_the_workshop_every_enrolment_is_cancelled(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 1})
    place = await desk.keep(fact)
    first, *_ = await desk.enrolled(place, "ada", "ben", "carme")
    await desk.withdraw(first)
    await desk.keep(fact.model_copy(update={"state": "cancelled"}))
    assert await desk.states(place) == {"ada": "withdrawn", "ben": "cancelled", "carme": "cancelled"}
    assert len(await desk.told("enrolment.cancelled")) == 2
    seats = (await desk.told("seats.changed"))[-1]["data"]["seats"]["in_person"]
    assert (seats["confirmed"], seats["waitlisted"]) == (0, 0)


async def test_the_quota_holds_in_the_queue_too(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 2}, per_organisation=1))
    vic, olot = await desk.enrol(place, form("ada", "Vic"), form("ben", "Olot"))
    assert got([vic, olot]) == [("confirmed", None)] * 2
    other = await desk.keep(workshop(seats={"in_person": 1}, per_organisation=1))
    (first,) = await desk.enrolled(other, "ada", city="Berga")
    await desk.enrolled(other, "ben", "carme", city="Vic")
    await desk.enrolled(other, "dan", city="Olot")
    await desk.withdraw(first)
    assert await desk.states(other) == {
        "ada": "withdrawn",
        "ben": "confirmed",
        "carme": "waitlisted",
        "dan": "waitlisted",
    }


async def test_one_passed_over_for_the_quota_is_next_when_the_organisation_gives_one_up(desk: Desk) -> None:
    fact = workshop(seats={"in_person": 2}, per_organisation=2)
    place = await desk.keep(fact)
    ada, _ = await desk.enrolled(place, "ada", "ben", city="Vic")
    outcomes = await desk.enrol(place, form("carme", "Vic"))
    assert refused(outcomes[0]) == "organisation-quota"
    await desk.keep(fact.model_copy(update={"per_organisation": None}))
    assert got(await desk.enrol(place, form("carme", "Vic"), form("dan", "Olot"))) == [
        ("waitlisted", 1),
        ("waitlisted", 2),
    ]
    await desk.keep(fact.model_copy(update={"per_organisation": 2, "seats": {"in_person": 3}}))
    assert (await desk.states(place))["dan"] == "confirmed"
    await desk.withdraw(ada)
    assert (await desk.states(place))["carme"] == "confirmed"


async def test_staff_approve_while_there_are_seats_and_say_so_when_there_are_none(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}, registration=Terms(approval="staff")))
    first, second, third = await desk.enrolled(place, "ada", "ben", "carme")
    assert (await desk.seats(place))["confirmed"] == 0
    async with desk.database.transaction(desk.clock()) as tx:
        assert (await operations.approve(tx, second, "staff:maria")).state == "confirmed"
        assert (await operations.approve(tx, second, "staff:maria")).state == "confirmed"
    async with desk.database.transaction(desk.clock()) as tx:
        with pytest.raises(Conflict) as refusal:
            await operations.approve(tx, first, "staff:maria")
    assert refusal.value.slug == "no-seat-left"
    async with desk.database.transaction(desk.clock()) as tx:
        assert (await operations.approve(tx, third, "staff:maria", "waitlist")).waitlist_position == 1
        assert (await operations.approve(tx, first, "staff:maria", "waitlist")).waitlist_position == 1
        assert (await operations.life(tx, third)).enrolment.waitlist_position == 2
    assert [each["data"]["by"] for each in await desk.told("enrolment.confirmed")] == ["staff"]
    await desk.withdraw(second)
    assert await desk.states(place) == {"ada": "confirmed", "ben": "withdrawn", "carme": "waitlisted"}


async def test_who_was_declined_does_not_come_back_by_asking_again(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, second = await desk.enrolled(place, "ada", "ben")
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.decline(tx, first, "staff:maria", "not a public body")
    assert await desk.states(place) == {"ada": "declined", "ben": "confirmed"}
    assert refused((await desk.enrol(place, form("ada")))[0]) == "refused-before"
    assert (await desk.told("enrolment.declined"))[0]["data"]["reason"] == "not a public body"
    async with desk.database.transaction(desk.clock()) as tx:
        with pytest.raises(Conflict, match="declined"):
            await operations.withdraw(tx, first, "participant")
        with pytest.raises(Conflict, match="confirmed"):
            await operations.approve(tx, first, "staff:maria")
        with pytest.raises(NotFound):
            await operations.withdraw(tx, place, "participant")
        assert (await operations.life(tx, second)).steps[0].by == "participant"
