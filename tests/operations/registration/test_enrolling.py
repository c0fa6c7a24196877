"""To enrol: seats, queue, refusals, and who is known."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.registration import operations
from services.registration.operations import Request
from shared.errors import Conflict, Invalid
from shared.events.catalogue import Terms
from shared.events.registration import Organisation, OutsideReference, Person
from tests.operations.registration.conftest import START, Desk, accepted, form, got, refused, workshop


async def test_the_first_get_the_seats_and_the_others_wait_in_their_order(desk: Desk) -> None:
    place = await desk.keep(workshop())
    outcomes = await desk.enrol(place, *(form(name) for name in ("ada", "ben", "carme", "dan")))
    assert got(outcomes) == [("confirmed", None), ("confirmed", None), ("waitlisted", 1), ("waitlisted", 2)]
    assert got(await desk.enrol(place, form("eva"))) == [("waitlisted", 3)]
    seats = await desk.seats(place)
    assert (seats["confirmed"], seats["waitlisted"]) == (2, 3)


async def test_batches_side_by_side_never_oversell(desk: Desk) -> None:
    places = [await desk.keep(workshop(seats={"in_person": 7})) for _ in range(2)]
    names = [f"p{number}" for number in range(40)]

    async def rush(some: list[str]) -> None:
        async with desk.database.transaction(desk.clock()) as tx:
            await operations.enrol(tx, [Request(place, form(name)) for name in some for place in places])

    await asyncio.gather(*(rush(names[start : start + 5]) for start in range(0, len(names), 5)))
    for place in places:
        states = list((await desk.states(place)).values())
        assert states == ["confirmed"] * 7 + ["waitlisted"] * 33
        told = [each["data"] for each in await desk.told("enrolment.created")]
        positions = [each["waitlist_position"] for each in told if each["workshop_id"] == str(place)]
        assert sorted(filter(None, positions)) == list(range(1, 34))
    assert len(await desk.told("person.registered")) == 40


async def test_the_database_has_the_last_word_on_overselling(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    await desk.enrolled(place, "ada")
    with pytest.raises(IntegrityError, match="seats_never_oversold"):
        async with desk.database.transaction(desk.clock()) as tx:
            await tx.session.execute(text("UPDATE seats SET confirmed = 2"))


async def test_each_request_is_told_once_with_its_state_and_the_seats_once_a_batch(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1, "online": None}))
    await desk.enrol(place, form("ada"), form("ben"), form("carme", attendance="online"))
    created = [each["data"] for each in await desk.told("enrolment.created")]
    assert [(each["state"], each["waitlist_position"]) for each in created] == [
        ("confirmed", None),
        ("waitlisted", 1),
        ("confirmed", None),
    ]
    assert not await desk.told("enrolment.confirmed", "enrolment.waitlisted")
    seats = await desk.told("seats.changed")
    assert [dict(each["headers"])["ce_sequence"] for each in seats] == ["0000000001", "0000000002"]
    assert seats[-1]["data"]["seats"] == {
        "in_person": {"capacity": 1, "confirmed": 1, "offered": 0, "waitlisted": 1, "available": 0},
        "online": {"capacity": None, "confirmed": 1, "offered": 0, "waitlisted": 0, "available": None},
    }


async def test_people_are_on_a_stream_of_their_own(desk: Desk) -> None:
    place = await desk.keep(workshop())
    await desk.enrol(place, form("zoe", "Vic"))  # whose name no id can hold
    told = await desk.told("enrolment.created", "seats.changed", "organisation.registered")
    assert "zoe" not in str(told)
    person = (await desk.told("person.registered"))[0]["data"]
    assert (person["name"], person["email"]) == ("zoe", "zoe@example.org")


@pytest.mark.parametrize(
    ("terms", "slug"),
    [
        (Terms(opens_at=START - timedelta(days=1)), "not-open"),
        (Terms(closes_at=START - timedelta(days=200)), "not-open"),
        (Terms(external_url="https://example.org/form"), "external-registration"),
    ],
)
async def test_terms_may_keep_one_out(desk: Desk, terms: Terms, slug: str) -> None:
    place = await desk.keep(workshop(registration=terms))
    (outcome,) = await desk.enrol(place, form("ada"))
    assert refused(outcome) == slug
    assert isinstance(outcome, Conflict)
    assert outcome.extra.get("link") == (terms.external_url and str(terms.external_url))
    assert not await desk.rows("SELECT * FROM people")


async def test_nobody_enrols_after_the_start_nor_in_what_is_cancelled(desk: Desk) -> None:
    place = await desk.keep(workshop())
    cancelled = await desk.keep(workshop(state="cancelled"))
    assert refused((await desk.enrol(cancelled, form("ada")))[0]) == "not-open"
    desk.clock.forward(START - desk.clock())
    assert refused((await desk.enrol(place, form("ada")))[0]) == "not-open"


async def test_the_body_names_what_is_wrong_in_it(desk: Desk) -> None:
    place = await desk.keep(workshop())
    (outcome,) = await desk.enrol(place, form("ada", attendance="online", accepts=(), groups=("small-giants",)))
    assert isinstance(outcome, Invalid)
    assert [name for name, _ in outcome.fields] == ["attendance", "accepts", "accepts"]


async def test_a_batch_takes_the_good_beside_the_bad(desk: Desk) -> None:
    place, nowhere = await desk.keep(workshop()), workshop().workshop_id
    async with desk.database.transaction(desk.clock()) as tx:
        outcomes = await operations.enrol(
            tx,
            [
                Request(nowhere, form("ada")),
                Request(place, form("ben")),
                Request(place, form("ben", person=Person(name="Ben", email="BEN@example.org"))),
                Request(place, form("carme")),
            ],
        )
    assert refused(outcomes[0]) == "unknown-workshop"
    assert refused(outcomes[2]) == "already-enrolled"
    assert got([outcomes[1], outcomes[3]]) == [("confirmed", None)] * 2


async def test_a_workshop_may_be_called_by_the_name_that_its_publisher_gave_it(desk: Desk) -> None:
    await desk.keep(workshop(publisher="demo-cms", external_id="enabling"))
    async with desk.database.transaction(desk.clock()) as tx:
        outcomes = await operations.enrol(
            tx,
            [
                Request(OutsideReference(publisher=publisher, external_id="enabling"), form("ada"))
                for publisher in ("demo-cms", "other")
            ],
        )
    assert accepted(outcomes[0]).state == "confirmed"
    assert refused(outcomes[1]) == "unknown-workshop"


async def test_who_withdrew_may_come_back_at_the_end_of_the_queue(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, _ = await desk.enrolled(place, "ada", "ben")
    assert refused((await desk.enrol(place, form("ada")))[0]) == "already-enrolled"
    await desk.withdraw(first)
    assert got(await desk.enrol(place, form("ada"))) == [("waitlisted", 1)]


async def test_a_request_changes_nobody_who_is_known(desk: Desk) -> None:
    one, other = await desk.keep(workshop()), await desk.keep(workshop())
    await desk.enrol(one, form("ada", "Vic"))
    before = await desk.rows("SELECT * FROM people"), await desk.rows("SELECT * FROM organisations")
    pretended = Person(name="Mallory", email="ADA@example.org", language="en")
    larger = Organisation(name="VIC", kind="city", country="ES", population=9_000_000)
    assert got(await desk.enrol(other, form("", person=pretended, organisation=larger))) == [("confirmed", None)]
    assert await desk.rows("SELECT * FROM people") == before[0]
    assert await desk.rows("SELECT * FROM organisations") == before[1]
    assert len(await desk.told("person.registered", "person.updated")) == 1
    assert len(await desk.told("organisation.registered", "organisation.updated")) == 1


async def test_an_organisation_gets_no_more_seats_than_it_may_hold(desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 5}, per_organisation=2))
    outcomes = await desk.enrol(place, *(form(name, "Vic") for name in ("ada", "ben", "carme")), form("dan", "Olot"))
    assert got([*outcomes[:2], outcomes[3]]) == [("confirmed", None)] * 3
    assert refused(outcomes[2]) == "organisation-quota"
    assert set(await desk.states(place)) == {"ada", "ben", "dan"}


async def test_to_leave_out_the_organisation_does_not_evade_its_quota(desk: Desk) -> None:
    one, place = await desk.keep(workshop()), await desk.keep(workshop(per_organisation=1))
    await desk.enrolled(one, "ada", city="Vic")
    await desk.enrolled(place, "ben", city="Vic")
    assert refused((await desk.enrol(place, form("ada")))[0]) == "organisation-quota"
