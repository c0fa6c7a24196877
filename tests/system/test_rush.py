"""Many at once for a few seats: nobody too many, nobody forgotten, nobody told twice."""

import asyncio

from tests.system.offers import workshop
from tests.system.people import Person
from tests.system.stack import Enrolled, Stack, count

SEATS, PEOPLE = 10, 120


async def test_a_rush_fills_the_seats_exactly_and_each_is_told_exactly_once(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": SEATS}))
    people = [Person("Sara") for _ in range(PEOPLE)]
    answers = await asyncio.gather(*(stack.ask(energy, each) for each in people))
    assert count(str(each.status_code) for each in answers) == {"201": PEOPLE}
    enrolled = [Enrolled.model_validate_json(each.content) for each in answers]
    stack.links |= {each.token for each in enrolled}
    assert count(each.state for each in enrolled) == {"confirmed": SEATS, "waitlisted": PEOPLE - SEATS}
    places = sorted(each.waitlist_position for each in enrolled if each.waitlist_position)
    assert places == list(range(1, PEOPLE - SEATS + 1))
    seats = (await stack.seats(energy)).json()["in_person"]
    assert seats == {
        "capacity": SEATS,
        "confirmed": SEATS,
        "offered": 0,
        "waitlisted": PEOPLE - SEATS,
        "available": 0,
    }
    await _the_list_is_in_the_order_of_acceptance(stack, f"/api/registration/workshops/{energy.id}/enrolments")

    rules = {"participant.confirmed": SEATS, "participant.waiting": PEOPLE - SEATS, "staff.workshop-full": 3}
    notices = await stack.settled(energy, rules)
    assert {each.state for each in notices} == {"sent"}
    mails = count(mail.to for mail in await stack.mailbox())
    assert {mails.get(each.address, 0) for each in people} == {1}


async def _the_list_is_in_the_order_of_acceptance(stack: Stack, path: str) -> None:
    listed = await stack.pages(path, {"limit": 50}, stack.staff)
    assert len(listed) == PEOPLE
    numbers = [each["number"] for each in listed]
    assert numbers == sorted(set(numbers))
    assert [each["state"] for each in listed] == ["confirmed"] * SEATS + ["waitlisted"] * (PEOPLE - SEATS)
    places = [each["waitlist_position"] for each in listed[SEATS:]]
    assert places == list(range(1, PEOPLE - SEATS + 1))
