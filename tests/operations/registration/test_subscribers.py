"""What registration follows, as the bus delivers it."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
import uuid_utils.compat as uuids

from shared.events.catalogue import JoiningChanged, JoinLink, WorkshopCancelled
from shared.events.registration import OutsideReference
from tests.operations.registration.bus import CMS, Bus, let_in, request
from tests.operations.registration.conftest import Desk, workshop


@pytest.fixture
def bus(desk: Desk) -> Bus:
    """Give the way to registration's consumers."""
    return Bus(desk)


async def test_a_workshop_comes_by_the_stream_and_the_newest_stays(desk: Desk, bus: Bus) -> None:
    fact = workshop(seats={"in_person": 1})
    newer = fact.model_copy(update={"seats": {"in_person": 5}})
    await bus.deliver(bus.record(newer, fact.workshop_id, 2), bus.record(fact, fact.workshop_id, 1))
    assert (await desk.seats(fact.workshop_id))["capacity"] == 5


async def test_a_cancelled_workshop_cancels_its_enrolments(desk: Desk, bus: Bus) -> None:
    fact = workshop()
    await bus.deliver(bus.record(fact, fact.workshop_id, 1))
    await desk.enrolled(fact.workshop_id, "ada")
    cancelled = WorkshopCancelled.model_validate(fact.model_dump() | {"state": "cancelled"})
    await bus.deliver(bus.record(cancelled, fact.workshop_id, 2))
    assert await desk.states(fact.workshop_id) == {"ada": "cancelled"}
    (told,) = await desk.told("enrolment.cancelled")
    assert dict(told["headers"])["ce_causationid"]


async def test_join_links_may_come_before_their_workshop(desk: Desk, bus: Bus) -> None:
    fact = workshop()
    links = (JoinLink(number=1, join_url="https://meet.example.org/a"),)
    joining = JoiningChanged(workshop_id=fact.workshop_id, links=links)
    await bus.deliver(bus.record(joining, fact.workshop_id, 2))
    await bus.deliver(bus.record(JoiningChanged(workshop_id=fact.workshop_id, links=()), fact.workshop_id, 1))
    (kept,) = await desk.rows("SELECT links FROM joining")
    assert "meet.example.org/a" in str(kept["links"])


async def test_a_redelivered_request_takes_one_seat(desk: Desk, bus: Bus) -> None:
    await let_in(desk)
    place = await desk.keep(workshop())
    record = bus.record(request(place, "ada"), uuids.uuid7(), topic=CMS)
    await bus.deliver(record, record)
    await bus.deliver(record)
    assert await desk.states(place) == {"ada": "confirmed"}
    assert (await desk.seats(place))["confirmed"] == 1
    (told,) = await desk.told("enrolment.created")
    headers: Mapping[str, str] = dict(told["headers"])
    assert headers["ce_causationid"] == dict(record.headers)["ce_id"].decode()  # type: ignore[union-attr]
    assert (told["data"]["by"], told["data"]["requested_at"]) == ("publisher", "2020-01-01T00:00:00Z")


async def test_a_date_claimed_from_outside_gives_no_earlier_place(desk: Desk, bus: Bus) -> None:
    await let_in(desk)
    place = await desk.keep(workshop(seats={"in_person": 0}))
    await desk.enrolled(place, "ada")
    await bus.deliver(bus.record(request(place, "ben"), uuids.uuid7(), topic=CMS))
    assert [each["data"]["waitlist_position"] for each in await desk.told("enrolment.created")] == [1, 2]


async def test_a_request_for_a_workshop_not_yet_known_waits_for_it(desk: Desk, bus: Bus) -> None:
    await let_in(desk)
    fact = workshop(publisher="demo-cms", external_id="enabling")
    reference = OutsideReference(publisher="demo-cms", external_id="enabling")
    known = await desk.keep(workshop())
    await bus.deliver(
        bus.record(request(reference, "ada"), uuids.uuid7(), topic=CMS),
        bus.record(request(known, "ben"), uuids.uuid7(), topic=CMS),
    )
    assert await desk.states(known) == {"ben": "confirmed"}
    await desk.keep(fact)
    desk.clock.forward(timedelta(minutes=1))
    await bus.consumers["inbound.registration"].tend()
    assert await desk.states(fact.workshop_id) == {"ada": "confirmed"}


async def test_a_refused_request_is_an_answer_and_a_wrong_one_a_dead_letter(desk: Desk, bus: Bus) -> None:
    await let_in(desk)
    place = await desk.keep(workshop())
    await desk.enrolled(place, "ada")
    await bus.deliver(
        bus.record(request(place, "ada"), uuids.uuid7(), topic=CMS),
        bus.record(request(place, "ben", accepts=()), uuids.uuid7(), topic=CMS),
        bus.record(request(place, "carme"), uuids.uuid7(), topic=CMS),
    )
    assert await desk.states(place) == {"ada": "confirmed", "carme": "confirmed"}
    outcomes = await desk.rows("SELECT outcome, detail FROM inbox WHERE consumer = 'registration.inbound.registration'")
    said = {(each["outcome"], str(each["detail"]).partition(":")[0]) for each in outcomes}
    assert said == {("refused", "already-enrolled"), ("dead-lettered", "invalid"), ("done", "None")}
