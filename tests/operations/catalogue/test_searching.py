"""What is found: by words without accents, by time, by way of attending, piece by piece."""

from datetime import timedelta

import pytest

from services.catalogue import operations
from services.catalogue.repository import EVERY, Criteria, Position
from tests.operations.catalogue.conftest import START, Desk, session

DAY = timedelta(days=1)


def on(days: int, **changes: object) -> dict[str, object]:
    return {"starts_at": START + days * DAY, "ends_at": START + days * DAY + timedelta(hours=1), **changes}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("habilitacio", ["Etapa d'habilitació"]),
        ("HABILITACIÓ", ["Etapa d'habilitació"]),
        ("enabling etapa", ["Etapa d'habilitació"]),
        ("collaboracio", ["Col·laboració"]),
        ("col·laboració", ["Col·laboració"]),
        ("manana", ["Col·laboració"]),
        ("copenhaguen", ["Col·laboració"]),
        ("etapa col", []),
        ("100%", []),
        ("_", []),
        ("", ["Etapa d'habilitació", "Col·laboració"]),
    ],
)
async def test_words_are_found_in_all_languages_and_without_accents(desk: Desk, q: str, found: list[str]) -> None:
    await desk.scheduled(title={"ca": "Etapa d'habilitació", "en": "Enabling stage"})
    place = {"name": "Sala gran", "city": "Copenhaguen"}
    await desk.scheduled(session(**on(1), place=place), title={"ca": "Col·laboració"}, summary={"es": "Hasta mañana"})
    assert await desk.found(q=q) == found


async def test_a_time_finds_what_has_a_session_in_it(desk: Desk) -> None:
    await desk.scheduled(session(**on(0)), session(**on(10)), title={"ca": "A trossos"})
    await desk.scheduled(session(**on(5)), title={"ca": "Al mig"})
    assert await desk.found(since=START + 4 * DAY, until=START + 6 * DAY) == ["Al mig"]
    assert await desk.found(since=START + 6 * DAY) == ["A trossos"]
    assert await desk.found(until=START + timedelta(minutes=1)) == ["A trossos"]
    assert await desk.found(until=START) == []
    assert await desk.found(since=START + 10 * DAY + timedelta(hours=1)) == []


async def test_a_hybrid_session_is_found_under_both_ways(desk: Desk) -> None:
    await desk.scheduled(session(mode="hybrid"), title={"ca": "Híbrid"})
    await desk.scheduled(session(**on(1)), title={"ca": "En línia"})
    await desk.scheduled(session(**on(2), mode="in_person"), title={"ca": "Presencial"})
    assert await desk.found(mode="in_person") == ["Híbrid", "Presencial"]
    assert await desk.found(mode="online") == ["Híbrid", "En línia"]


async def test_theme_programme_group_and_language_each_narrow_the_list(desk: Desk) -> None:
    await desk.scheduled(title={"ca": "U"}, themes=("net-zero", "energy"), programme="smcnetzero")
    await desk.scheduled(session(**on(1)), title={"ca": "Dos"}, group="small-giants", language="en")
    assert await desk.found(theme="energy") == ["U"]
    assert await desk.found(theme="ener") == []
    assert await desk.found(programme="smcnetzero") == ["U"]
    assert await desk.found(group="small-giants") == ["Dos"]
    assert await desk.found(language="ca") == ["U"]
    assert await desk.found(group="small-giants", language="ca") == []


async def test_drafts_are_listed_for_staff_only(desk: Desk) -> None:
    await desk.draft()
    assert await desk.found() == []
    assert len(await desk.found(states=EVERY)) == 1


async def test_a_list_read_piece_by_piece_shows_each_once_though_all_start_together(desk: Desk) -> None:
    for number in range(5):
        await desk.scheduled(title={"ca": f"Taller {number}"})
    seen: list[str] = []
    after: Position | None = None
    while True:
        async with desk.database.transaction(desk.clock()) as tx:
            rows = await operations.search(tx, Criteria(), after, 2)
        if not rows:
            break
        seen += [row.slug for row in rows]
        after = Position(rows[-1].starts_at, rows[-1].workshop_id)
    assert seen == [f"taller-{number}" for number in range(5)]
