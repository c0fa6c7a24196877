"""What staff do with a workshop, and what others hear of it."""

import asyncio
from datetime import timedelta

import pytest

from services.catalogue import operations
from services.catalogue.operations import Statement
from services.catalogue.schemas import WorkshopChange
from shared.errors import Conflict, Invalid, NotFound
from tests.operations.catalogue.conftest import SECRET, START, Desk, content, session, statement

LATER = {"starts_at": START + timedelta(days=21), "ends_at": START + timedelta(days=21, hours=1)}


async def edit(desk: Desk, key: str, **change: object) -> None:
    async with desk.database.transaction(desk.clock()) as tx:
        await operations.edit(tx, key, WorkshopChange.model_validate(change).applied)


async def test_a_draft_is_told_to_nobody_and_shown_to_staff_only(desk: Desk) -> None:
    row = await desk.draft()
    await edit(desk, row.slug, title={"ca": "Un altre nom"})
    assert await desk.told() == []
    async with desk.database.transaction(desk.clock()) as tx:
        shown = await operations.workshop(tx, row.slug, drafts=True)
        assert (shown.state, shown.sequence, shown.content.title) == ("draft", 0, {"ca": "Un altre nom"})
        with pytest.raises(NotFound):
            await operations.workshop(tx, row.slug, drafts=False)
    assert await desk.found() == []


async def test_each_step_tells_the_whole_state_under_the_next_version(desk: Desk) -> None:
    row = await desk.scheduled(themes=("net-zero",))
    await edit(desk, row.slug, seats={"online": 30})
    await desk.reschedule(row.workshop_id, session(**LATER))
    await desk.cancel(row.slug)
    facts = [each for each in await desk.told() if each["topic"] == "catalogue.workshops"]
    assert [(each["type"], each["sequence"]) for each in facts] == [
        ("workshop.scheduled", "0000000001"),
        ("workshop.updated", "0000000002"),
        ("workshop.rescheduled", "0000000003"),
        ("workshop.cancelled", "0000000004"),
    ]
    assert {each["key"] for each in facts} == {str(row.workshop_id)}
    last = facts[-1]["data"]
    assert last["state"] == "cancelled"
    assert last["reason"] == {"ca": "Pluja"}
    assert (last["slug"], last["seats"], last["themes"]) == ("etapa-d-habilitacio", {"online": 30}, ["net-zero"])
    assert last["sessions"][0]["starts_at"] == "2027-05-01T09:00:00+02:00"


async def test_what_changes_nothing_is_not_told(desk: Desk) -> None:
    row = await desk.scheduled()
    await desk.reschedule(row.slug, session())
    await desk.reschedule(row.slug, session(number=1))
    await edit(desk, row.slug, seats={"online": 25}, kind="workshop")
    assert await desk.types() == ["workshop.scheduled"]


async def test_join_links_travel_on_their_own_stream_and_on_no_other(desk: Desk) -> None:
    row = await desk.scheduled()
    await edit(desk, row.slug, title={"en": "Enabling stage"})
    await desk.reschedule(row.slug, session(join_url="https://meet.example.org/other"))
    joining = [each for each in await desk.told() if each["topic"] == "catalogue.joining"]
    assert [(each["sequence"], [link["join_url"] for link in each["data"]["links"]]) for each in joining] == [
        ("0000000001", [SECRET]),
        ("0000000003", ["https://meet.example.org/other"]),
    ]
    public = [each for each in await desk.told() if each["topic"] == "catalogue.workshops"]
    assert len(public) == 3
    assert "join" not in str(public)
    assert "meet.example.org" not in str(public)


async def test_a_link_that_is_taken_out_is_told_as_none(desk: Desk) -> None:
    row = await desk.scheduled()
    await desk.reschedule(row.slug, session(join_url=None))
    joining = [each["data"]["links"] for each in await desk.told() if each["topic"] == "catalogue.joining"]
    assert [len(links) for links in joining] == [1, 0]


async def test_sessions_keep_their_numbers_when_their_order_changes(desk: Desk) -> None:
    first, second = session(number=1), session(number=2, **LATER)
    row = await desk.scheduled(first, second)
    moved = first.model_copy(update={name: moment + timedelta(days=40) for name, moment in (
        ("starts_at", first.starts_at), ("ends_at", first.ends_at))})  # fmt: skip
    row = await desk.reschedule(row.slug, moved, second)
    assert [each.number for each in row.sessions] == [2, 1]


async def test_two_sessions_with_one_number_are_refused(desk: Desk) -> None:
    row = await desk.scheduled()
    with pytest.raises(Invalid) as refused:
        await desk.reschedule(row.slug, session(number=1), session(number=1, **LATER))
    assert [name for name, _ in refused.value.fields] == ["sessions"]


async def test_a_cancelled_workshop_stays_so(desk: Desk) -> None:
    row = await desk.scheduled()
    await desk.cancel(row.slug)
    for step in (
        desk.cancel(row.slug),
        desk.reschedule(row.slug, session(**LATER)),
        edit(desk, row.slug, themes=["x"]),
    ):
        with pytest.raises(Conflict) as refused:
            await step
        assert refused.value.slug == "cancelled"
    assert await desk.types() == ["workshop.scheduled", "workshop.cancelled"]


async def test_a_draft_is_not_rescheduled_closed_or_cancelled(desk: Desk) -> None:
    row = await desk.draft()
    with pytest.raises(Conflict, match="schedule it first"):
        await desk.reschedule(row.slug, session(**LATER))
    with pytest.raises(Conflict, match="schedule it first"):
        await desk.cancel(row.slug)
    async with desk.database.transaction(desk.clock()) as tx:
        with pytest.raises(Conflict, match="schedule it first"):
            await operations.close(tx, row.slug)


async def test_scheduling_twice_is_refused_and_told_once(desk: Desk) -> None:
    row = await desk.scheduled()
    async with desk.database.transaction(desk.clock()) as tx:
        with pytest.raises(Conflict, match="already"):
            await operations.schedule(tx, row.slug)
    assert await desk.types() == ["workshop.scheduled"]


async def test_closing_ends_enrolment_now_and_once(desk: Desk) -> None:
    opens = desk.clock() + timedelta(days=1)
    row = await desk.scheduled(registration={"opens_at": opens, "closes_at": opens + timedelta(days=9)})
    closed_at = desk.clock()
    for _ in range(2):
        async with desk.database.transaction(desk.clock()) as tx:
            terms = (await operations.close(tx, row.slug)).content.registration
        assert (terms.opens_at, terms.closes_at) == (None, closed_at)
        desk.clock.forward(timedelta(hours=1))
    assert await desk.types() == ["workshop.scheduled", "workshop.updated"]


async def test_what_is_over_has_been_held_and_is_told_once(desk: Desk) -> None:
    await desk.scheduled()
    await desk.scheduled(session(**LATER))
    called_off = await desk.scheduled()
    await desk.cancel(called_off.slug)
    desk.clock.now = START + timedelta(hours=1)
    for expected in (1, 0):
        async with desk.database.transaction(desk.clock()) as tx:
            assert await operations.hold_past(tx) == expected
    assert (await desk.types()).count("workshop.held") == 1


async def test_workshops_of_one_title_get_names_of_their_own(desk: Desk) -> None:
    rows = await asyncio.gather(*(desk.draft() for _ in range(6)))
    numbered = [f"etapa-d-habilitacio-{number}" for number in range(2, 7)]
    assert sorted(row.slug for row in rows) == ["etapa-d-habilitacio", *numbered]


async def test_changes_side_by_side_are_told_one_after_the_other(desk: Desk) -> None:
    row = await desk.scheduled()
    await asyncio.gather(*(edit(desk, row.slug, seats={"online": seats}) for seats in range(100, 110)))
    facts = [each for each in await desk.told() if each["topic"] == "catalogue.workshops"]
    assert [int(each["sequence"]) for each in facts] == list(range(1, 12))
    assert len({each["data"]["seats"]["online"] for each in facts}) == 11


async def test_a_change_sets_what_it_names_and_leaves_the_rest(desk: Desk) -> None:
    row = await desk.scheduled(
        seats={"in_person": 20, "online": 5},
        title={"ca": "Nom", "en": "Name"},
        registration={"approval": "staff", "external_url": "https://example.org/enrol"},
    )
    await edit(
        desk,
        row.slug,
        seats={"online": None},
        title={"en": None, "es": "Nombre"},
        registration={"external_url": None},
    )
    async with desk.database.transaction(desk.clock()) as tx:
        changed = (await operations.workshop(tx, row.slug, drafts=False)).content
    assert changed.seats == {"in_person": 20, "online": None}
    assert changed.title == {"ca": "Nom", "es": "Nombre"}
    assert (changed.registration.approval, changed.registration.external_url) == ("staff", None)


async def test_a_change_that_leaves_no_title_is_refused(desk: Desk) -> None:
    row = await desk.scheduled()
    with pytest.raises(Invalid) as refused:
        await edit(desk, row.slug, title={"ca": None})
    assert [name for name, _ in refused.value.fields] == ["title"]


async def test_an_hour_that_the_clocks_repeat_is_the_same_hour_when_it_is_stated_again(desk: Desk) -> None:
    doubled = {"starts_at": "2027-10-31T00:30:00Z", "ends_at": "2027-10-31T01:30:00Z", "timezone": "Europe/Madrid"}
    row = await desk.scheduled(session(**doubled))
    await desk.reschedule(row.slug, session(**doubled))
    assert await desk.types() == ["workshop.scheduled"]


def test_a_statement_is_on_its_own_clock_and_in_order() -> None:
    stated: Statement = statement(session(**LATER), session())
    assert [each.number for each in stated.sessions] == [2, 1]
    assert stated.sessions[0].starts_at.isoformat() == "2027-04-10T09:00:00+02:00"
    assert "sessions" not in content()
