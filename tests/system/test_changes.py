"""A workshop that is moved, and then called off: everybody whom it concerns hears of each once."""

from tests.system.offers import session, workshop
from tests.system.people import Person
from tests.system.stack import Mail, Stack, slug_of
from tests.waiting import eventually

REASON = {"ca": "La sala s'ha inundat.", "es": "La sala se ha inundado.", "en": "The room is flooded."}


async def test_a_new_date_and_a_cancellation_are_told_once_to_all_who_hope_to_come(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    comes, waits, left = Person("Clara"), Person("Dídac"), Person("Elna")
    with_seat, in_queue, gone = [await stack.enrol(energy, each) for each in (comes, waits, left)]
    (invitation,) = await stack.told(comes, 1)
    await stack.told(waits, 1)
    await stack.told(left, 1)
    (
        await stack.http.post(f"/api/registration/enrolments/{gone.enrolment_id}/withdraw?token={gone.token}")
    ).raise_for_status()
    await stack.told(left, 2)

    later = [session(17)]
    moved = await stack.steer(energy, "reschedule", sessions=later)
    assert (await stack.steer(energy, "reschedule", sessions=later)).sequence == moved.sequence
    (_, new_date) = await stack.told(comes, 2)
    _brings_the_calendar_up_to_date(invitation, new_date, energy.title["ca"])
    (_, also_told) = await stack.told(waits, 2)
    assert also_told.subject == new_date.subject
    assert also_told.method is None

    cancelled = await stack.steer(energy, "cancel", reason=REASON)
    assert cancelled.state == "cancelled"
    (_, _, called_off) = await stack.told(comes, 3)
    assert called_off.subject == f"Cancel·lat: {energy.title['ca']} (17 d'abril de 2041)"
    assert REASON["ca"] in called_off.text
    assert called_off.method == "CANCEL"
    assert (called_off.entry.uid, str(called_off.entry["STATUS"])) == (invitation.entry.uid, "CANCELLED")
    assert called_off.entry.sequence > new_date.entry.sequence
    (_, _, also_off) = await stack.told(waits, 3)
    assert also_off.method is None

    rules = {"confirmed": 1, "waiting": 2, "withdrawn": 1, "promoted": 0, "rescheduled": 2, "cancelled": 2}
    notices = await stack.settled(energy, {f"participant.{rule}": number for rule, number in rules.items()})
    assert {each.state for each in notices} == {"sent"}
    await stack.told(left, 2)
    states = [(await stack.enrolment(each))["state"] for each in (with_seat, in_queue, gone)]
    assert states == ["cancelled", "cancelled", "withdrawn"]
    refusal = await stack.ask(energy, Person())
    assert (slug_of(refusal), refusal.json()["because"]) == ("not-open", "cancelled")


async def test_a_seat_more_goes_to_who_waits_and_a_seat_less_takes_nobodys(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    first, second = Person("Fina"), Person("Gil")
    enrolled = [await stack.enrol(energy, each) for each in (first, second)]
    assert [each.state for each in enrolled] == ["confirmed", "waitlisted"]
    await stack.told(second, 1)
    for capacity in (2, 1):
        changed = await stack.http.patch(
            f"/api/catalogue/workshops/{energy.id}", json={"seats": {"in_person": capacity}}, headers=stack.staff
        )
        assert changed.status_code == 200, changed.text

        async def taken_in(capacity: int = capacity) -> bool:
            return bool((await stack.seats(energy)).json()["in_person"]["capacity"] == capacity)

        await eventually(taken_in, "registration to know of the seats")
    assert (await stack.told(second, 2))[1].subject.startswith("Ja teniu plaça:")
    assert [(await stack.enrolment(each))["state"] for each in enrolled] == ["confirmed", "confirmed"]
    seats = (await stack.seats(energy)).json()["in_person"]
    assert (seats["confirmed"], seats["available"]) == (2, 0)


def _brings_the_calendar_up_to_date(invitation: Mail, new_date: Mail, title: str) -> None:
    assert new_date.subject == f"Nova data: {title} (17 d'abril de 2041)"
    assert new_date.method == "REQUEST"
    assert new_date.entry.uid == invitation.entry.uid
    assert new_date.entry.sequence == invitation.entry.sequence + 1
    assert new_date.entry.start.isoformat() == "2041-04-17T09:30:00+02:00"
    assert new_date.text.index("10 d'abril de 2041") < new_date.text.rindex("17 d'abril de 2041")
