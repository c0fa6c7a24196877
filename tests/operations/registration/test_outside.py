"""What outside systems give up and what they say of organisations: each of its own only."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import uuid_utils.compat as uuids

from shared.events.registration import (
    Organisation,
    OutsideEnrolmentWithdrawn,
    OutsideOrganisationRegistered,
    OutsideReference,
    OwnRequest,
)
from shared.messaging.envelope import Record
from tests.operations.registration.bus import CMS, INBOUND, Bus, id_of, let_in, request
from tests.operations.registration.conftest import Desk, workshop

CRM = "inbound.registration.crm"
FACTS = ("organisation.registered", "organisation.updated")


@pytest_asyncio.fixture
async def bus(desk: Desk) -> Bus:
    """Give the way to registration's consumers, for two systems that are let in."""
    await let_in(desk, "demo-cms", "crm")
    return Bus(desk)


def withdrawn(
    bus: Bus, enrolment: UUID | OwnRequest, reason: str | None = None, *, topic: str = CMS, key: str | None = None
) -> Record:
    """Make the record by which a system gives up an enrolment."""
    event = OutsideEnrolmentWithdrawn(enrolment_id=enrolment, reason=reason)
    return bus.record(event, key or uuids.uuid7(), topic=topic)


def registered(bus: Bus, sequence: int | None = None, *, topic: str = CRM, **changes: Any) -> Record:  # noqa: ANN401
    """Make the record by which a system states an organisation."""
    fields = {
        "external_id": "crm-7",
        "name": "Ajuntament de Vic",
        "kind": "city",
        "country": "ES",
        "population": 40_000,
    }
    event = OutsideOrganisationRegistered.model_validate(fields | changes)
    return bus.record(event, event.external_id, sequence, topic)


async def enrolment_of(desk: Desk, name: str) -> UUID:
    """Find somebody's enrolment."""
    (row,) = await desk.rows(
        "SELECT enrolment_id FROM enrolments JOIN people USING (person_id) WHERE name = :name", name=name
    )
    found: UUID = row["enrolment_id"]
    return found


async def organisations(desk: Desk) -> list[tuple[str, int | None, str | None, str | None]]:
    """Tell which organisations are kept: name, population, whose, and what they are called there."""
    rows = await desk.rows("SELECT * FROM organisations ORDER BY name")
    return [(row["name"], row["population"], row["publisher"], row["external_id"]) for row in rows]


@pytest.mark.parametrize("by_request", [False, True], ids=["by the id of the enrolment", "by its own request"])
async def test_a_system_gives_up_what_it_asked_for_and_the_queue_moves_up(
    desk: Desk, bus: Bus, *, by_request: bool
) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    asked = bus.record(request(place, "ada"), uuids.uuid7(), topic=CMS)
    await bus.deliver(asked)
    await desk.enrolled(place, "ben")
    which = OwnRequest(request=id_of(asked)) if by_request else await enrolment_of(desk, "ada")
    given_up = withdrawn(bus, which, "Another department comes.")
    await bus.deliver(given_up, given_up)
    assert await desk.states(place) == {"ada": "withdrawn", "ben": "confirmed"}
    (fact,) = await desk.told("enrolment.withdrawn")
    assert (fact["data"]["by"], fact["data"]["reason"]) == ("publisher", "Another department comes.")
    (promoted,) = await desk.told("enrolment.confirmed")
    assert {dict(each["headers"])["ce_causationid"] for each in (fact, promoted)} == {id_of(given_up)}
    assert await bus.became(given_up) == [("done", None)]


async def test_to_give_up_twice_is_answered_and_tells_nothing_more(desk: Desk, bus: Bus) -> None:
    place = await desk.keep(workshop())
    await bus.deliver(bus.record(request(place, "ada"), uuids.uuid7(), topic=CMS))
    which = await enrolment_of(desk, "ada")
    once, again = withdrawn(bus, which), withdrawn(bus, which, "Once more.")
    await bus.deliver(once)
    await bus.deliver(again)
    assert await bus.became(once, again) == [("done", None), ("done", None)]
    assert len(await desk.told("enrolment.withdrawn")) == 1


async def test_nobody_gives_up_what_another_asked_for(desk: Desk, bus: Bus) -> None:
    place = await desk.keep(workshop(publisher="crm", external_id="spring"))
    (of_a_person,) = await desk.enrolled(place, "ada")
    asked = bus.record(request(place, "ben"), uuids.uuid7(), topic=CMS)
    await bus.deliver(asked)
    forged = (
        withdrawn(bus, of_a_person, topic=CRM),
        withdrawn(bus, await enrolment_of(desk, "ben"), topic=CRM),
        withdrawn(bus, OwnRequest(request=id_of(asked)), topic=CRM),
    )
    await bus.deliver(*forged)
    assert await desk.states(place) == {"ada": "confirmed", "ben": "confirmed"}
    owner, unknown = ("dead-lettered", "not-owner"), ("waiting", "unknown-enrolment")
    assert await bus.became(*forged) == [owner, owner, unknown]


async def test_what_is_given_up_before_it_came_to_be_waits_for_it(desk: Desk, bus: Bus) -> None:
    reference = OutsideReference(publisher="demo-cms", external_id="enabling")
    asked = bus.record(request(reference, "ada"), uuids.uuid7(), topic=CMS)
    given_up = withdrawn(bus, OwnRequest(request=id_of(asked)))
    await bus.deliver(given_up, asked)
    assert await bus.became(given_up, asked) == [("waiting", "unknown-enrolment"), ("waiting", "unknown-workshop")]
    place = await desk.keep(workshop(publisher="demo-cms", external_id="enabling"))
    for _ in range(2):
        desk.clock.forward(timedelta(minutes=1))
        await bus.consumers[INBOUND].tend()
    assert await desk.states(place) == {"ada": "withdrawn"}


async def test_what_came_of_nothing_is_not_waited_for(desk: Desk, bus: Bus) -> None:
    place = await desk.keep(workshop())
    await desk.enrolled(place, "ada")
    refused = bus.record(request(place, "ada"), uuids.uuid7(), topic=CMS)
    await bus.deliver(refused)
    given_up = withdrawn(bus, OwnRequest(request=id_of(refused)))
    await bus.deliver(given_up)
    assert await bus.became(refused, given_up) == [("refused", "already-enrolled"), ("refused", "request-refused")]
    assert await desk.states(place) == {"ada": "confirmed"}


async def test_one_batch_asks_gives_up_and_asks_anew_in_that_order(desk: Desk, bus: Bus) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    key = uuids.uuid7()
    first, other, second = (bus.record(request(place, name), key, topic=CMS) for name in ("ada", "ben", "ada"))
    given_up = withdrawn(bus, OwnRequest(request=id_of(first)), key=str(key))
    await bus.deliver(first, other, given_up, second)
    rows = await desk.rows("SELECT name, state FROM enrolments JOIN people USING (person_id) ORDER BY number")
    assert [(row["name"], row["state"]) for row in rows] == [
        ("ada", "withdrawn"), ("ben", "confirmed"), ("ada", "waitlisted"),
    ]  # fmt: skip
    causes = {
        (each["type"], dict(each["headers"])["ce_causationid"])
        for each in await desk.told("enrolment.created", "enrolment.withdrawn", "enrolment.confirmed")
    }
    assert causes == {
        *(("enrolment.created", id_of(each)) for each in (first, other, second)),
        ("enrolment.withdrawn", id_of(given_up)),
        ("enrolment.confirmed", id_of(given_up)),
    }
    *_, before, between, after = [dict(each["headers"]) for each in await desk.told("seats.changed")]
    assert between["ce_causationid"] == id_of(given_up)
    assert "ce_causationid" not in before.keys() | after.keys()  # for what many events ask no one of them is the cause


async def test_two_batches_that_give_up_crosswise_do_not_stop_each_other(desk: Desk, bus: Bus) -> None:
    places = [await desk.keep(workshop()) for _ in range(10)]
    asked = {
        (place, name): bus.record(request(place, name), uuids.uuid7(), topic=CMS)
        for place in places
        for name in ("ada", "ben")
    }
    await bus.deliver(*asked.values())
    forth, back = (
        [withdrawn(bus, OwnRequest(request=id_of(asked[place, name]))) for place in order]
        for name, order in (("ada", places), ("ben", places[::-1]))
    )
    await asyncio.gather(bus.deliver(*forth), bus.deliver(*back))
    assert await bus.became(*forth, *back) == [("done", None)] * 20


async def test_an_organisation_is_the_systems_that_states_it(desk: Desk, bus: Bus) -> None:
    stated, same = registered(bus), registered(bus)
    moved = registered(bus, name="Vic", population=50_000)
    await bus.deliver(stated, same)
    await bus.deliver(moved)
    assert await organisations(desk) == [("Vic", 50_000, "crm", "crm-7")]
    assert await bus.became(stated, same, moved) == [("done", None)] * 3
    facts = await desk.told(*FACTS)
    assert [(each["type"], dict(each["headers"])["ce_sequence"]) for each in facts] == [
        ("organisation.registered", "0000000001"),
        ("organisation.updated", "0000000002"),
    ]
    assert [(each["data"]["name"], each["data"]["publisher"], each["data"]["external_id"]) for each in facts] == [
        ("Ajuntament de Vic", "crm", "crm-7"),
        ("Vic", "crm", "crm-7"),
    ]
    assert {dict(each["headers"])["ce_causationid"] for each in facts} == {id_of(stated), id_of(moved)}


async def test_an_organisation_that_is_another_s_stays_as_it_is(desk: Desk, bus: Bus) -> None:
    place = await desk.keep(workshop())
    await desk.enrolled(place, "ada", city="Manlleu")
    await bus.deliver(registered(bus))
    before = await organisations(desk)
    taken = (
        registered(bus, topic=CMS, name="ajuntament  de VIC", population=1),
        registered(bus, name="Manlleu", external_id="crm-8"),
        registered(bus, name="Manlleu"),
        registered(bus, external_id="crm-9"),
    )
    await bus.deliver(*taken)
    assert await bus.became(*taken) == [("refused", "organisation-known")] * 4
    assert await organisations(desk) == before
    assert len(await desk.told(*FACTS)) == 2


async def test_what_two_systems_call_alike_are_two_organisations(desk: Desk, bus: Bus) -> None:
    await bus.deliver(registered(bus), registered(bus, topic=CMS, name="Ripoll"))
    assert [each[0] for each in await organisations(desk)] == ["Ajuntament de Vic", "Ripoll"]


async def test_what_is_older_than_known_changes_no_organisation(desk: Desk, bus: Bus) -> None:
    newer, older = registered(bus, 5, population=50_000), registered(bus, 4, population=1)
    unnumbered, same_number = registered(bus, population=60_000), registered(bus, 5, population=1)
    await bus.deliver(newer, older, unnumbered, same_number)
    stale = ("stale", "older-than-known")
    assert await bus.became(newer, older, unnumbered, same_number) == [("done", None), stale, ("done", None), stale]
    assert await organisations(desk) == [("Ajuntament de Vic", 60_000, "crm", "crm-7")]


@pytest.mark.parametrize("request_first", [False, True], ids=["stated first", "asked for first"])
async def test_an_organisation_that_a_request_names_is_the_systems_whose_request_it_is(
    desk: Desk, bus: Bus, *, request_first: bool
) -> None:
    place = await desk.keep(workshop())
    city = Organisation(name="ajuntament de vic", kind="city", country="ES", population=3)
    records = [registered(bus), bus.record(request(place, "ada", organisation=city), uuids.uuid7(), topic=CRM)]
    await bus.deliver(*(reversed(records) if request_first else records))
    assert await bus.became(*records) == [("done", None)] * 2
    assert await organisations(desk) == [("Ajuntament de Vic", 40_000, "crm", "crm-7")]
    (row,) = await desk.rows("SELECT count(*) AS n FROM enrolments JOIN organisations USING (organisation_id)")
    assert row["n"] == 1
    assert len(await desk.told(*FACTS)) == (2 if request_first else 1)
