"""Other systems that have no Kafka hand in their events by HTTP, and ask what became of them."""

from tests.system.offers import workshop
from tests.system.outside import about, became, hand_in, let_in, said
from tests.system.people import Person, request
from tests.system.stack import Stack, slug_of
from tests.waiting import eventually

LARGEST = 256 * 1024


async def test_an_event_has_its_effect_once_whichever_way_it_comes(stack: Stack) -> None:
    cms = await let_in(stack, "catalogue")
    by_http = said(cms, "workshop.scheduled", workshop(external_id="spring"), id='2041/spring "à la" ../?#%2F')
    by_kafka = said(cms, "workshop.scheduled", workshop(external_id="autumn"))
    assert (await hand_in(stack, cms, by_http)).status_code == 202
    assert await became(stack, cms, by_http, "done") is None
    await stack.bus.publish(cms.topic, by_http, by_kafka)

    async def both() -> bool:
        return len(await stack.workshops(cms)) == 2

    await eventually(both, "both workshops")
    again = await hand_in(stack, cms, by_kafka, structured=True)
    assert (again.status_code, again.json()["state"]) == (202, "done")
    assert {each.external_id: each.sequence for each in await stack.workshops(cms)} == {"spring": 1, "autumn": 1}


async def test_a_publisher_is_told_what_became_of_its_requests_and_nobody_else_is(stack: Stack) -> None:
    crm, other = await let_in(stack, "registration"), await let_in(stack, "registration")
    energy, closed, person = await stack.offer(workshop()), workshop(), Person("Ona")
    early = await stack.offer(closed | {"registration": {"opens_at": "2041-01-01T00:00:00Z"}})
    await stack.enrol(energy, person)
    twice = said(crm, "enrolment.requested", request(str(energy.id), person))
    shut = said(crm, "enrolment.requested", request(str(early.id), Person()))
    ahead = said(crm, "enrolment.requested", request({"publisher": crm.name, "external_id": "later"}, Person()))
    for event in (twice, shut, ahead):
        assert (await hand_in(stack, crm, event)).status_code == 202
    assert (await became(stack, crm, twice, "refused") or "").startswith("already-enrolled: ")
    assert (await became(stack, crm, shut, "refused") or "").startswith("not-open: ")
    assert await became(stack, crm, ahead, "waiting") == "unknown-workshop"
    unknown = said(crm, "enrolment.invented", {})
    await stack.bus.publish(crm.topic, unknown)
    assert (await became(stack, crm, unknown, "dead-lettered") or "").startswith("unknown-type: ")
    for event in (twice, unknown):
        hidden = await about(stack, other, event)
        assert (hidden.status_code, slug_of(hidden)) == (404, "unknown-event")


async def test_what_is_no_event_of_the_publishers_is_refused_plainly(stack: Stack) -> None:
    cms, other = await let_in(stack, "catalogue"), await let_in(stack, "catalogue")
    forged = said(cms, "workshop.scheduled", workshop(external_id="spring"), source=other.source)
    invented = said(cms, "workshop.invented", {"external_id": "spring"})
    invalid = said(cms, "workshop.scheduled", {"external_id": "spring"})
    for event, expected in (
        (forged, (403, "not-owner")),
        (invented, (400, "unknown-type")),
        (invalid, (400, "invalid")),
    ):
        for structured in (False, True):
            refused = await hand_in(stack, cms, event, structured=structured)
            assert (refused.status_code, slug_of(refused)) == expected
        assert (await about(stack, cms, event)).status_code == 404
    headers = {"Authorization": f"Bearer {cms.token}", "Content-Type": "application/cloudevents-batch+json"}
    batch = await stack.http.post("/api/catalogue/events", content=b"[]", headers=headers)
    assert (batch.status_code, slug_of(batch)) == (415, "unsupported-media-type")
    assert await stack.workshops(cms) == []
