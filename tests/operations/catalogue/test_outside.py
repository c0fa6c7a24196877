"""What outside systems say of their workshops: each of its own only, and the same twice changes nothing."""

import asyncio
from datetime import timedelta

import pytest

from services.catalogue import operations
from services.catalogue.subscribers import take_outside_workshops
from shared.errors import Conflict, Invalid, NotFound
from shared.events.catalogue import OutsideWorkshopCancelled, OutsideWorkshopRescheduled
from shared.messaging.envelope import Envelope
from tests.operations.catalogue.conftest import START, Desk, content, outside, session

LATER = {"starts_at": START + timedelta(days=21), "ends_at": START + timedelta(days=21, hours=1)}


async def test_an_outside_workshop_is_on_offer_at_once_under_its_publishers_name(desk: Desk) -> None:
    row = await desk.take(outside())
    assert (row.state, row.publisher, row.external_id) == ("scheduled", "demo-cms", "enabling")
    facts = [each["data"] for each in await desk.told() if each["type"] == "workshop.scheduled"]
    assert [(each["publisher"], each["external_id"], each["state"]) for each in facts] == [
        ("demo-cms", "enabling", "scheduled")
    ]


async def test_the_same_again_changes_nothing_and_tells_nothing(desk: Desk) -> None:
    first = await desk.take(outside())
    again = await desk.take(outside())
    assert again.workshop_id == first.workshop_id
    assert await desk.types() == ["workshop.scheduled"]


async def test_the_same_side_by_side_makes_one_workshop(desk: Desk) -> None:
    rows = await asyncio.gather(*(desk.take(outside()) for _ in range(6)))
    assert len({row.workshop_id for row in rows}) == 1
    assert await desk.types() == ["workshop.scheduled"]


async def test_other_dates_reschedule_and_anything_else_updates(desk: Desk) -> None:
    await desk.take(outside())
    await desk.take(outside(session(**LATER)))
    await desk.take(outside(session(**LATER), seats={"online": 3}))
    assert await desk.types() == ["workshop.scheduled", "workshop.rescheduled", "workshop.updated"]


async def test_publishers_with_the_same_external_id_have_workshops_of_their_own(desk: Desk) -> None:
    ours, theirs = await desk.take(outside()), await desk.take(outside(), publisher="portal")
    assert ours.workshop_id != theirs.workshop_id
    await desk.take(outside(session(**LATER)), publisher="portal")
    async with desk.database.transaction(desk.clock()) as tx:
        untouched = await operations.workshop(tx, ours.workshop_id, drafts=False)
    assert untouched.sequence == 1


async def test_a_cancelled_one_is_not_brought_back(desk: Desk) -> None:
    row = await desk.take(outside())
    await desk.cancel(row.slug)
    with pytest.raises(Conflict) as refused:
        await desk.take(outside())
    assert refused.value.slug == "cancelled"


async def test_one_that_was_held_may_be_stated_again_but_not_changed(desk: Desk) -> None:
    await desk.take(outside())
    desk.clock.now = START + timedelta(days=1)
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.hold_past(tx)
    await desk.take(outside())
    with pytest.raises(Conflict) as refused:
        await desk.take(outside(session(**LATER)))
    assert refused.value.slug == "held"


async def test_what_its_publisher_counts_as_older_is_refused(desk: Desk) -> None:
    await desk.take(outside(), sequence=4)
    await desk.take(outside(session(**LATER)), sequence=5)
    with pytest.raises(Conflict) as refused:
        await desk.take(outside(), sequence=4)
    assert refused.value.slug == "older-than-known"
    assert await desk.types() == ["workshop.scheduled", "workshop.rescheduled"]


async def test_one_that_contradicts_itself_is_refused_and_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(Invalid) as refused:
        await desk.take(outside(registration={"opens_at": START, "closes_at": START}))
    assert refused.value.detail.endswith("registration.closes_at must come after opens_at.")
    assert await desk.rows("SELECT 1 FROM workshops") == []


async def test_a_number_of_seats_that_no_room_has_is_refused_where_it_is_stated(desk: Desk) -> None:
    """Those who keep our facts count in 32 bits: whoever took it from us could not take it in."""
    with pytest.raises(Invalid) as refused:
        await desk.take(outside(seats={"online": 2**31, "in_person": 30}, per_organisation=2**31))
    assert [name for name, _ in refused.value.fields] == ["seats.online", "per_organisation"]
    assert await desk.rows("SELECT 1 FROM workshops") == []


async def test_the_stream_speaks_for_the_publisher_whose_source_it_is(desk: Desk) -> None:
    cause = Envelope(id="1", source="/publishers/demo-cms", type="workshop.rescheduled", sequence=7)
    moved = OutsideWorkshopRescheduled(external_id="enabling", sessions=(session(),), **content())
    async with desk.database.transaction(desk.clock(), cause) as tx:
        await take_outside_workshops(moved, tx)
    rows = await desk.rows("SELECT publisher, external_id, publisher_sequence, state FROM workshops")
    assert rows == [{"publisher": "demo-cms", "external_id": "enabling", "publisher_sequence": 7, "state": "scheduled"}]


async def test_a_publisher_calls_its_own_workshop_off_and_no_other(desk: Desk) -> None:
    await desk.take(outside())
    event = OutsideWorkshopCancelled(external_id="enabling", reason={"ca": "Pluja"})
    for source, type_ in (("/publishers/portal", NotFound), ("/publishers/demo-cms", None)):
        async with desk.database.transaction(desk.clock(), Envelope("2", source, event.type)) as tx:
            if type_ is None:
                await take_outside_workshops(event, tx)
            else:
                with pytest.raises(type_):
                    await take_outside_workshops(event, tx)
    cancelled = [each["data"] for each in await desk.told() if each["type"] == "workshop.cancelled"]
    assert [each["reason"] for each in cancelled] == [{"ca": "Pluja"}]
