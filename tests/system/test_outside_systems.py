"""Other systems publish workshops and enrol people over Kafka: each changes only what is its own."""

import pytest

from shared.events.topics import ENROLMENTS, WORKSHOPS, dead_letters
from tests.system.offers import session, workshop
from tests.system.outside import let_in, said
from tests.system.people import Person, request
from tests.system.stack import Mail, Publisher, Stack, Workshop
from tests.system.streams import Record
from tests.waiting import eventually


async def shown(stack: Stack, publisher: Publisher, number: int) -> dict[str | None, Workshop]:
    """Wait until so many of a publisher's workshops are public, and give them by its own names."""

    async def public() -> list[Workshop]:
        found = await stack.workshops(publisher)
        return found if len(found) >= number else []

    found = await eventually(public, f"{number} workshops of {publisher.name}")
    assert len(found) == number
    return {each.external_id: each for each in found}


@pytest.mark.parametrize("structured", [False, True], ids=["binary mode", "structured mode"])
async def test_an_outside_workshop_is_public_once_and_staff_hear_of_it(stack: Stack, *, structured: bool) -> None:
    cms = await let_in(stack, "catalogue")
    spring = said(cms, "workshop.scheduled", workshop(external_id="2041/spring"))
    autumn = said(cms, "workshop.scheduled", workshop(external_id="2041/autumn"))
    await stack.bus.publish(cms.topic, spring, spring, autumn, structured=structured)

    listed = await shown(stack, cms, 2)
    made = listed["2041/spring"]
    assert (made.publisher, made.state, made.sequence) == (cms.name, "scheduled", 1)
    assert made.title == spring.get_data()["title"]  # type: ignore[index,call-overload]
    facts = [each for each in await stack.bus.records(WORKSHOPS.name) if each.key == str(made.id).encode()]
    assert [(each.header("ce_type"), each.header("ce_causationid")) for each in facts] == [
        ("workshop.scheduled", spring.get_id())
    ]
    notices = await stack.settled(made, {"staff.outside-workshop": 3})
    assert {(each.state, each.recipient, each.language) for each in notices} == {
        ("sent", "staff:merce", "ca"),
        ("sent", "staff:joan", "es"),
        ("sent", "staff:aoife", "en"),
    }
    title = made.title

    async def told() -> list[Mail]:
        mails = [mail for mail in await stack.mailbox() if cms.name in mail.subject]
        return mails if len(mails) >= 6 else []

    subjects = sorted(mail.subject for mail in await eventually(told, "staff to be told of both workshops"))
    spring_only = [subject for subject in subjects if any(text in subject for text in title.values())]
    assert spring_only == [
        f"New from {cms.name}: {title['en']} (10 April 2041)",
        f"Novedad de {cms.name}: {title['es']} (10 de abril de 2041)",
        f"Novetat de {cms.name}: {title['ca']} (10 d'abril de 2041)",
    ]
    assert len(subjects) == 6


async def test_an_outside_system_moves_its_workshop_and_those_enrolled_hear_of_it(stack: Stack) -> None:
    cms = await let_in(stack, "catalogue")
    stated = workshop(external_id="spring")
    await stack.bus.publish(cms.topic, said(cms, "workshop.scheduled", stated))
    made = (await shown(stack, cms, 1))["spring"]
    await stack.taken_in(made)
    person = Person("Oriol")
    await stack.enrol(made, person)
    await stack.told(person, 1)
    await stack.bus.publish(cms.topic, said(cms, "workshop.rescheduled", stated | {"sessions": [session(24)]}))
    (_, moved) = await stack.told(person, 2)
    assert moved.subject == f"Nova data: {made.title['ca']} (24 d'abril de 2041)"
    reason = {"ca": "No hi ha prou gent."}
    await stack.bus.publish(cms.topic, said(cms, "workshop.cancelled", {"external_id": "spring", "reason": reason}))
    (*_, off) = await stack.told(person, 3)
    assert off.subject == f"Cancel·lat: {made.title['ca']} (24 d'abril de 2041)"
    assert (await shown(stack, cms, 1))["spring"].state == "cancelled"


async def test_who_speaks_in_anothers_name_changes_nothing_and_staff_are_told_at_once(stack: Stack) -> None:
    owner, other = await let_in(stack, "catalogue"), await let_in(stack, "catalogue")
    stated = workshop(external_id="spring")
    await stack.bus.publish(owner.topic, said(owner, "workshop.scheduled", stated))
    before = (await shown(stack, owner, 1))["spring"]

    title = {"ca": "Tot gratis"}
    forged = said(other, "workshop.updated", stated | {"title": title}, source=owner.source)
    honest = said(other, "workshop.scheduled", stated | {"title": title})
    (at, _) = await stack.bus.publish(other.topic, forged, honest)

    assert (await shown(stack, other, 1))["spring"].title == title
    assert await shown(stack, owner, 1) == {"spring": before}

    async def laid_down() -> list[Record]:
        records = await stack.bus.records(dead_letters("catalogue").name)
        return [each for each in records if each.header("dl-topic") == other.topic]

    (letter,) = await eventually(laid_down, "the dead letter")
    assert letter.header("dl-reason") == "not-owner"
    assert (letter.header("dl-partition"), letter.header("dl-offset")) == (str(at.partition), str(at.offset))

    async def told() -> list[Mail]:  # this is the only test in which the catalogue has such a dead letter
        return [mail for mail in await stack.mailbox() if "dead letter in catalogue: not-owner" in mail.subject]

    (mail,) = await eventually(told, "staff to be told")
    assert other.topic in mail.text
    assert title["ca"] not in mail.text


async def test_a_request_that_comes_before_its_workshop_waits_for_it(stack: Stack) -> None:
    cms, crm = await let_in(stack, "catalogue"), await let_in(stack, "registration")
    early, meanwhile = Person("Pau"), Person("Queralt")
    known = await stack.offer(workshop())
    named = {"publisher": cms.name, "external_id": "spring"}
    at = "2041-01-02T03:04:05+00:00"
    asked = said(crm, "enrolment.requested", request(named, early, requested_at=at))
    also = said(crm, "enrolment.requested", request(str(known.id), meanwhile))
    await stack.bus.publish(crm.topic, asked, asked, also)
    (mail,) = await stack.told(meanwhile, 1)  # which lay behind it: so it was looked at, and is not forgotten
    assert known.title["ca"] in mail.subject
    assert await stack.mails(early) == []

    await stack.bus.publish(cms.topic, said(cms, "workshop.scheduled", workshop(external_id="spring")))
    (confirmed,) = await stack.told(early, 1)
    made = (await shown(stack, cms, 1))["spring"]
    assert confirmed.subject == f"Plaça confirmada: {made.title['ca']} (10 d'abril de 2041)"
    assert confirmed.method == "REQUEST"
    facts = [each for each in await stack.bus.records(ENROLMENTS.name) if each.data["workshop_id"] == str(made.id)]
    (fact,) = facts
    assert (fact.header("ce_type"), fact.header("ce_causationid")) == ("enrolment.created", asked.get_id())
    assert (fact.data["state"], fact.data["by"]) == ("confirmed", "publisher")
    assert fact.data["requested_at"] == at.replace("+00:00", "Z")
    await stack.settled(made, {"participant.confirmed": 1})
