"""A customer database that enrols people, gives up what it asked for, and states its organisations."""

import json

from shared.events.topics import ENROLMENTS, ORGANISATIONS
from tests.system import page
from tests.system.offers import workshop
from tests.system.outside import became, hand_in, let_in, said
from tests.system.people import Person, request
from tests.system.stack import Publisher, Stack
from tests.system.streams import facts


async def test_a_system_gives_up_what_it_asked_for_and_who_waited_gets_the_seat(stack: Stack) -> None:
    crm, other = await let_in(stack, "registration"), await let_in(stack, "registration")
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    colleague, waiting = Person("Guifré"), Person("Elisenda")
    given_up = json.loads(page.example("json", "enrolment_id"))
    asked = said(crm, "enrolment.requested", request(str(energy.id), colleague), id=given_up["enrolment_id"]["request"])
    await stack.bus.publish(crm.topic, asked)
    await stack.told(colleague, 1)
    assert (await stack.enrol(energy, waiting)).state == "waitlisted"
    await stack.told(waiting, 1)
    (created,) = [
        each
        for each in await facts(stack.bus, ENROLMENTS, 2, workshop_id=str(energy.id))
        if each.header("ce_causationid") == asked.get_id()
    ]

    forged = said(other, "enrolment.withdrawn", {"enrolment_id": created.data["enrolment_id"]})
    assert (await hand_in(stack, other, forged)).status_code == 202
    assert (await became(stack, other, forged, "dead-lettered") or "").startswith("not-owner: ")
    over = said(crm, "enrolment.withdrawn", given_up)
    again = said(crm, "enrolment.withdrawn", {"enrolment_id": created.data["enrolment_id"]})
    await stack.bus.publish(crm.topic, over)
    assert await became(stack, crm, over, "done") is None
    assert (await hand_in(stack, crm, again)).status_code == 202
    assert await became(stack, crm, again, "done") is None

    title = energy.title["ca"]
    (_, left) = await stack.told(colleague, 2)
    (_, promoted) = await stack.told(waiting, 2)
    assert title in left.subject
    assert promoted.method == "REQUEST"
    _, fact = await facts(stack.bus, ENROLMENTS, 2, enrolment_id=created.data["enrolment_id"])
    assert (fact.header("ce_type"), fact.header("ce_causationid")) == ("enrolment.withdrawn", over.get_id())
    assert (fact.data["state"], fact.data["by"]) == ("withdrawn", "publisher")
    assert fact.data["reason"] == given_up["reason"]
    await stack.settled(energy, {"participant.withdrawn": 1, "participant.promoted": 1})


async def test_an_organisation_is_changed_by_the_system_that_stated_it_and_by_nobody_else(stack: Stack) -> None:
    crm, other = await let_in(stack, "registration"), await let_in(stack, "registration")
    stated = json.loads(page.example("json", "city-4711"))
    city = stated | {"name": f"Ajuntament de {crm.name}"}

    async def say(system: Publisher, sequence: int, **changes: object) -> str | None:
        event = said(system, "organisation.registered", city | changes, sequence=str(sequence))
        assert (await hand_in(stack, system, event)).status_code == 202
        return await became(stack, system, event, "done" if system is crm and sequence else "refused")

    first = said(crm, "organisation.registered", city, sequence="1")
    await stack.bus.publish(crm.topic, first, first)
    assert await became(stack, crm, first, "done") is None
    await say(crm, 2, population=50_000)
    assert (await say(crm, 0, population=1) or "").startswith("older-than-known: ")
    assert (await say(other, 1, population=1) or "").startswith("organisation-known: ")

    energy = await stack.offer(workshop())
    organisation = {"name": city["name"], "kind": "city", "country": "ES", "population": 7}
    enrolled = await stack.enrol(energy, Person(), organisation=organisation)
    told = await facts(stack.bus, ORGANISATIONS, 2, name=city["name"])
    assert [(each.header("ce_type"), each.header("ce_sequence"), each.data["population"]) for each in told] == [
        ("organisation.registered", "0000000001", stated["population"]),
        ("organisation.updated", "0000000002", 50_000),
    ]
    assert {(each.data["publisher"], each.data["external_id"]) for each in told} == {(crm.name, "city-4711")}
    (created,) = await facts(stack.bus, ENROLMENTS, 1, enrolment_id=str(enrolled.enrolment_id))
    assert created.data["organisation_id"] == told[0].data["organisation_id"]
