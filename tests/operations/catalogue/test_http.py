"""The catalogue over HTTP: who may do what, what is answered, and what nobody outside may see."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from icalendar import Calendar
from sqlalchemy import text

from services.catalogue.app import build
from shared.messaging import publishers
from shared.settings import ServiceSettings
from shared.web import tokens
from shared.web.pagination import LARGEST_LIMIT
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.operations.catalogue.conftest import SECRET, START

WORKSHOPS = "/api/catalogue/workshops"
OFFICE = Path(__file__).parents[3] / "deploy" / "demo" / "office.yaml"
SESSION = {
    "starts_at": START.isoformat(),
    "ends_at": (START + timedelta(hours=1)).isoformat(),
    "timezone": "Europe/Copenhagen",
    "mode": "hybrid",
    "place": {"name": "Sala gran", "city": "Copenhagen", "country": "DK"},
    "join_url": SECRET,
}
BODY: dict[str, Any] = {
    "kind": "training_module",
    "language": "ca",
    "title": {"ca": "Etapa d'habilitació"},
    "sessions": [SESSION],
    "seats": {"in_person": 30, "online": None},
    "per_organisation": 3,
    "themes": ["net-zero"],
    "programme": "smcnetzero",
}


@pytest_asyncio.fixture
async def app(database_url: MakeUrl, clock: HandClock) -> AsyncIterator[FastAPI]:
    """Give the service without what runs beside its HTTP."""
    settings = ServiceSettings.model_validate(
        {
            "database_url": await database_url("catalogue"),
            "kafka_servers": "127.0.0.1:1",
            "public_url": "http://convoca.test",
            "secret_key": "k" * 40,
            "office": OFFICE,
        }
    )
    app = build(settings, clock)
    async with app.state.service.transaction() as tx:
        await tokens.create(tx.session, "rosa", "staff", "of-staff", clock(), days=None)
    yield app
    await app.state.service.database.close()


def client_of(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://convoca.test", headers=headers)


@pytest_asyncio.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that shows nothing of itself."""
    async with client_of(app) as client:
        yield client


@pytest_asyncio.fixture
async def staff(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client with a token of staff."""
    async with client_of(app, Authorization="Bearer of-staff") as client:
        yield client


async def scheduled(staff: httpx.AsyncClient, **changes: object) -> dict[str, Any]:
    made = (await staff.post(WORKSHOPS, json=BODY | changes)).json()
    answer = await staff.post(f"{WORKSHOPS}/{made['id']}/schedule")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


def fields(answer: httpx.Response) -> list[str]:
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    return [error["field"] for error in answer.json()["errors"]]


def slug_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


async def test_a_workshop_is_made_scheduled_and_shown(staff: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    made = await staff.post(WORKSHOPS, json=BODY)
    assert (made.status_code, made.json()["state"], made.json()["slug"]) == (201, "draft", "etapa-d-habilitacio")
    assert made.headers["location"] == f"{WORKSHOPS}/{made.json()['id']}"
    assert slug_of(await anybody.get(made.headers["location"])) == (404, "unknown-workshop")
    assert (await staff.get(made.headers["location"])).json()["state"] == "draft"
    assert (await staff.post(f"{made.headers['location']}/schedule")).json()["state"] == "scheduled"
    for key in (made.json()["id"], made.json()["slug"]):
        shown = (await anybody.get(f"{WORKSHOPS}/{key}")).json()
        assert shown["sessions"][0]["starts_at"] == "2027-04-10T09:00:00+02:00"
        assert (shown["publisher"], shown["external_id"], shown["sequence"]) == (None, None, 1)
        assert shown["seats"] == {"in_person": 30, "online": None}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", BODY),
        ("PATCH", "/x", {}),
        ("POST", "/x/schedule", None),
        ("POST", "/x/reschedule", {"sessions": [SESSION]}),
        ("POST", "/x/cancel", {"reason": {"ca": "Pluja"}}),
        ("POST", "/x/close", None),
    ],
)
async def test_what_changes_anything_is_for_staff(
    app: FastAPI, anybody: httpx.AsyncClient, clock: HandClock, method: str, path: str, body: object
) -> None:
    async with app.state.service.transaction() as tx:
        outsider = await publishers.add(tx.session, "demo-cms", clock())
    assert slug_of(await anybody.request(method, WORKSHOPS + path, json=body)) == (401, "no-token")
    for token, refusal in (("guessed", (401, "unknown-token")), (outsider, (403, "wrong-scope"))):
        headers = {"Authorization": f"Bearer {token}"}
        assert slug_of(await anybody.request(method, WORKSHOPS + path, json=body, headers=headers)) == refusal


async def test_no_public_answer_and_no_page_has_a_join_link(
    staff: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    shown = await scheduled(staff)
    assert shown["sessions"][0]["join_url"] == SECRET
    places = (WORKSHOPS, f"{WORKSHOPS}/{shown['id']}", "/", "/workshops", f"/workshops/{shown['slug']}")
    for path in places:
        answer = await anybody.get(path)
        assert answer.status_code == 200
        assert "habilitació" in answer.text
        assert "join_url" not in answer.text
        assert "meet.example.org" not in answer.text


async def test_an_outsiders_token_sees_what_everybody_sees(
    app: FastAPI, staff: httpx.AsyncClient, clock: HandClock
) -> None:
    shown = await scheduled(staff)
    async with app.state.service.transaction() as tx:
        token = await publishers.add(tx.session, "demo-cms", clock())
    async with client_of(app, Authorization=f"Bearer {token}") as outsider:
        assert "join_url" not in (await outsider.get(f"{WORKSHOPS}/{shown['id']}")).text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "party"}, ["kind"]),
        ({"title": {}}, ["title"]),
        ({"title": {"ca": "  "}}, ["title.ca"]),
        ({"seats": {"in_person": -1}}, ["seats.in_person"]),
        ({"sessions": []}, ["sessions"]),
        ({"sessions": [SESSION | {"timezone": "Europe/Atlantis"}]}, ["sessions.0.timezone"]),
        ({"sessions": [SESSION | {"starts_at": "2027-04-10T09:00:00"}]}, ["sessions.0.starts_at"]),
        ({"sessions": [SESSION | {"ends_at": SESSION["starts_at"]}]}, ["sessions.0"]),
        (
            {"sessions": [SESSION | {"starts_at": "9999-12-31T01:00:00Z", "ends_at": "9999-12-31T02:00:00Z"}]},
            ["sessions.0.starts_at", "sessions.0.ends_at"],
        ),
        ({"themes": ["Net Zero"], "per_organisation": 0}, ["per_organisation", "themes.0"]),
        ({"registration": {"external_url": "javascript:alert(1)"}}, ["registration.external_url"]),
        (
            {"registration": {"opens_at": "2027-02-02T00:00:00Z", "closes_at": "2027-02-01T00:00:00Z"}},
            ["registration.closes_at"],
        ),
    ],
)
async def test_each_wrong_field_is_named(staff: httpx.AsyncClient, change: dict[str, Any], named: list[str]) -> None:
    assert fields(await staff.post(WORKSHOPS, json=BODY | change)) == named


async def test_a_change_of_what_there_is_not_is_named_too(staff: httpx.AsyncClient) -> None:
    shown = await scheduled(staff)
    assert fields(await staff.patch(f"{WORKSHOPS}/{shown['id']}", json={"tilte": {"ca": "x"}})) == ["tilte"]
    assert fields(await staff.post(f"{WORKSHOPS}/{shown['id']}/cancel", json={})) == ["reason"]
    broken: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    assert slug_of(await staff.patch(f"{WORKSHOPS}/{shown['id']}", **broken)) == (400, "malformed")


async def test_a_workshop_changes_moves_closes_and_is_called_off(staff: httpx.AsyncClient) -> None:
    path = f"{WORKSHOPS}/{(await scheduled(staff))['id']}"
    changed = (await staff.patch(path, json={"seats": {"in_person": 10}})).json()
    assert (changed["seats"], changed["sequence"]) == ({"in_person": 10, "online": None}, 2)
    later = SESSION | {"starts_at": "2027-05-01T09:00:00+02:00", "ends_at": "2027-05-01T10:00:00+02:00"}
    moved = (await staff.post(f"{path}/reschedule", json={"sessions": [later]})).json()
    assert (moved["sessions"][0]["starts_at"], moved["sequence"]) == ("2027-05-01T09:00:00+02:00", 3)
    closed = (await staff.post(f"{path}/close")).json()
    assert closed["registration"]["closes_at"] == "2027-01-11T09:00:00Z"
    cancelled = (await staff.post(f"{path}/cancel", json={"reason": {"ca": "Pluja"}})).json()
    assert (cancelled["state"], cancelled["reason"], cancelled["sequence"]) == ("cancelled", {"ca": "Pluja"}, 5)
    again = await staff.post(f"{path}/cancel", json={"reason": {"ca": "Pluja"}})
    assert slug_of(again) == (409, "cancelled")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "demà"}, ["from"]),
        ({"from": "2027-03-01T10:00:00"}, ["from"]),
        ({"to": "demà"}, ["to"]),
        ({"to": "2027-03-01T10:00:00"}, ["to"]),
        ({"from": "2027-03-02", "to": "2027-03-01"}, ["to"]),
        ({"mode": "by-phone"}, ["mode"]),
        ({"theme": "Net Zero"}, ["theme"]),
        ({"lang": "fr"}, ["lang"]),
        ({"q": "a\0"}, ["q"]),
        ({"cursor": "%"}, ["cursor"]),
        ({"limit": "1001"}, ["limit"]),
    ],
)
async def test_a_question_that_makes_no_sense_is_answered_with_what_is_wrong(
    anybody: httpx.AsyncClient, query: dict[str, str], named: list[str]
) -> None:
    assert fields(await anybody.get(WORKSHOPS, params=query)) == named


async def test_a_list_is_read_piece_by_piece(staff: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    for number in range(5):
        await scheduled(staff, title={"ca": f"Taller {number}"})
    seen: list[str] = []
    cursor = None
    while True:
        answer = (await anybody.get(WORKSHOPS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["slug"] for item in answer["items"]]
        if (cursor := answer["next"]) is None:
            break
    assert seen == [f"taller-{number}" for number in range(5)]


async def test_a_day_that_is_asked_for_is_the_offices(staff: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    late = {"starts_at": "2027-04-10T23:30:00+02:00", "ends_at": "2027-04-10T23:50:00+02:00"}
    await scheduled(staff, sessions=[SESSION | late])
    for day, found in (("2027-04-09", 0), ("2027-04-10", 1), ("2027-04-11", 0)):
        answer = await anybody.get(WORKSHOPS, params={"from": day, "to": day})
        assert len(answer.json()["items"]) == found


async def test_strange_names_are_not_found(anybody: httpx.AsyncClient) -> None:
    for key in ("nothing", "a%00b", "Not A Slug", "x" * 3000):
        assert slug_of(await anybody.get(f"{WORKSHOPS}/{key}")) == (404, "unknown-workshop")
        assert (await anybody.get(f"/workshops/{key}", headers={"Accept": "text/html"})).status_code == 404


async def test_the_programme_can_be_subscribed_to_as_a_calendar(
    staff: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    shown = await scheduled(staff, title={"ca": "Etapa", "en": "Stage"})
    called_off = await scheduled(staff, title={"ca": "Pluja"}, themes=["rain"])
    await staff.post(f"{WORKSHOPS}/{called_off['id']}/cancel", json={"reason": {"ca": "Pluja"}})
    await staff.post(WORKSHOPS, json=BODY | {"title": {"ca": "Esborrany"}})

    answer = await staff.get(f"{WORKSHOPS}.ics", headers={"Accept-Language": "en"})
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert SECRET not in answer.text
    events = {str(each["summary"]): each for each in Calendar.from_ical(answer.text).walk("VEVENT")}
    assert set(events) == {"Stage", "Pluja"}
    stage = events["Stage"]
    assert (stage.decoded("dtstart"), stage.decoded("dtend")) == (START, START + timedelta(hours=1))
    assert str(stage["uid"]).startswith(f"{shown['id']}-1@")
    assert str(stage["url"]).endswith(f"/workshops/{shown['slug']}")
    assert [str(each["status"]) for each in events.values()].count("CANCELLED") == 1

    moved = {"starts_at": "2027-05-01T09:00:00+02:00", "ends_at": "2027-05-01T10:00:00+02:00"}
    await staff.post(f"{WORKSHOPS}/{shown['id']}/reschedule", json={"sessions": [SESSION | moved]})
    (after,) = Calendar.from_ical((await anybody.get(f"{WORKSHOPS}.ics", params={"theme": "net-zero"})).text).walk(
        "VEVENT"
    )
    assert str(after["uid"]) == str(stage["uid"])
    assert int(str(after["sequence"])) > int(str(stage["sequence"]))


AGAIN = text(
    """
    INSERT INTO workshops
    SELECT (jsonb_populate_record(w, jsonb_build_object(
        'workshop_id', gen_random_uuid(), 'slug', w.slug || '-' || n, 'starts_at', w.starts_at + n * interval '1 min'
    ))).* FROM workshops w, generate_series(1, :more) n
    """
)


async def test_a_calendar_leaves_out_nothing_however_much_there_is(
    app: FastAPI, staff: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    await scheduled(staff)
    async with app.state.service.transaction() as tx:
        await tx.session.execute(AGAIN, {"more": LARGEST_LIMIT})

    answer = await anybody.get(f"{WORKSHOPS}.ics")

    assert answer.text.count("BEGIN:VEVENT") == LARGEST_LIMIT + 1
