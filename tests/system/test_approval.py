"""Where the office decides: a request holds no seat, an answer is told, and a refusal is for good."""

from tests.system.offers import workshop
from tests.system.people import Person
from tests.system.stack import Stack, slug_of


async def test_staff_approve_and_decline_and_each_is_told(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}, registration={"approval": "staff"}))
    people = [Person("Teresa"), Person("Unai"), Person("Vinyet")]
    requests = [await stack.enrol(energy, each) for each in people]
    assert {each.state for each in requests} == {"pending_approval"}
    for each in people:
        (received,) = await stack.told(each, 1)
        assert received.subject == f"Sol·licitud rebuda: {energy.title['ca']} (10 d'abril de 2041)"
        assert received.method is None
    assert (await stack.seats(energy)).json()["in_person"]["available"] == 1
    (first, second, third), (teresa, unai, vinyet) = requests, people

    approved = await stack.decide(first, "approve")
    assert (approved.status_code, approved.json()["state"]) == (200, "confirmed")
    (_, confirmed) = await stack.told(teresa, 2)
    assert confirmed.subject == f"Plaça confirmada: {energy.title['ca']} (10 d'abril de 2041)"
    assert confirmed.method == "REQUEST"

    no_seat = await stack.decide(second, "approve")
    assert (no_seat.status_code, slug_of(no_seat)) == (409, "no-seat-left")
    assert "seat" in no_seat.json()["detail"]
    assert (await stack.enrolment(second))["state"] == "pending_approval"
    waits = await stack.decide(second, "approve", when_full="waitlist")
    assert (waits.json()["state"], waits.json()["waitlist_position"]) == ("waitlisted", 1)
    assert (await stack.told(unai, 2))[1].subject.startswith("En llista d'espera:")

    declined = await stack.decide(third, "decline", reason="És per a ens públics.")
    assert (declined.status_code, declined.json()["state"]) == (200, "declined")
    (_, refused) = await stack.told(vinyet, 2)
    assert refused.subject == f"Sol·licitud no acceptada: {energy.title['ca']} (10 d'abril de 2041)"
    again = await stack.ask(energy, vinyet)
    assert (again.status_code, slug_of(again)) == (409, "refused-before")
    assert slug_of(await stack.decide(third, "approve")) == "wrong-state"

    rules = {"pending": 3, "confirmed": 1, "waiting": 1, "declined": 1, "promoted": 0}
    notices = await stack.settled(energy, {f"participant.{rule}": number for rule, number in rules.items()})
    assert {each.state for each in notices} == {"sent"}
