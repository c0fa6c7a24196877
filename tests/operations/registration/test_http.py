"""Registration over HTTP: bodies, answers, and who may do what."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.events.catalogue import Terms
from tests.clock import HandClock
from tests.operations.registration.conftest import API, Desk, app_of, body, workshop

STAFF = {"Authorization": "Bearer of-staff"}
CSV = {"Accept": "text/csv"}


async def enrolled(client: httpx.AsyncClient, place: UUID, name: str = "ada") -> dict[str, Any]:
    """Enrol somebody; answers what was said."""
    response = await client.post(f"{API}/enrolments", json=body(place, name))
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def slug(response: httpx.Response) -> tuple[int, str]:
    """Give what a problem is called."""
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"].rpartition(":")[2]


async def test_an_enrolment_is_answered_with_its_state_and_its_link(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}))
    first, second = await enrolled(client, place), await enrolled(client, place, "ben")
    token = first.pop("manage_url").removeprefix("http://convoca.test/enrolments/")
    assert first == {
        "enrolment_id": first["enrolment_id"],
        "workshop_id": str(place),
        "state": "confirmed",
        "attendance": "in_person",
        "waitlist_position": None,
    }
    assert (second["state"], second["waitlist_position"]) == ("waitlisted", 1)
    shown = (await client.get(f"{API}/enrolments/{first['enrolment_id']}?token={token}")).json()
    assert [step["after"] for step in shown["history"]] == ["confirmed"]


async def test_a_rush_gets_every_seat_and_every_place_once(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 20}))
    answers = await asyncio.gather(*(enrolled(client, place, f"p{number}") for number in range(120)))
    assert sum(answer["state"] == "confirmed" for answer in answers) == 20
    places = [answer["waitlist_position"] for answer in answers if answer["state"] == "waitlisted"]
    assert sorted(places) == list(range(1, 101))


async def test_problems_have_stable_names(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop())
    outside = await desk.keep(workshop(registration=Terms(external_url="https://example.org/form")))
    await enrolled(client, place)
    assert slug(await client.post(f"{API}/enrolments", json=body(uuid4()))) == (404, "unknown-workshop")
    twice = await client.post(f"{API}/enrolments", json=body(place))
    assert slug(twice) == (409, "already-enrolled")
    assert "/enrolments/" not in twice.text
    elsewhere = await client.post(f"{API}/enrolments", json=body(outside))
    assert slug(elsewhere) == (409, "external-registration")
    assert elsewhere.json()["link"] == "https://example.org/form"
    wrong = await client.post(f"{API}/enrolments", json=body(place, person={"name": "a\nb", "email": "x"}))
    assert slug(wrong) == (422, "invalid")
    assert [error["field"] for error in wrong.json()["errors"]] == ["person.name", "person.email"]
    consent = await client.post(f"{API}/enrolments", json=body(place, "ben", accepts=[]))
    assert [error["field"] for error in consent.json()["errors"]] == ["accepts"]


async def test_a_key_is_answered_the_same_and_taken_for_one_body_alone(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop())
    key = {"Idempotency-Key": "a key"}
    first, again, other = [
        await client.post(f"{API}/enrolments", json=body(place, name), headers=key) for name in ("ada", "ada", "ben")
    ]
    assert (again.status_code, again.json()) == (201, first.json())
    assert slug(other) == (422, "idempotency-key-reused")


async def test_who_has_the_link_or_is_staff_may_withdraw_and_nobody_else(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop())
    mine, theirs = await enrolled(client, place), await enrolled(client, place, "ben")
    token = mine["manage_url"].rpartition("/")[2]
    path = f"{API}/enrolments/{theirs['enrolment_id']}/withdraw"
    assert slug(await client.post(path)) == (401, "no-token")
    assert slug(await client.post(f"{path}?token=nonsense")) == (401, "unknown-token")
    assert slug(await client.post(path, headers={"Authorization": f"Bearer {token}"})) == (403, "not-yours")
    assert (await client.post(path, headers=STAFF)).json()["history"][-1]["by"] == "staff:rosa"
    own = f"{API}/enrolments/{mine['enrolment_id']}/withdraw"
    withdrawn = await client.post(own, headers={"Authorization": f"Bearer {token}"})
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    assert (await client.get(f"{own}?token={token}")).status_code == 405


async def test_staff_approve_and_decline(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1}, registration=Terms(approval="staff")))
    ids = [(await enrolled(client, place, name))["enrolment_id"] for name in ("ada", "ben", "carme")]
    paths = [f"{API}/enrolments/{each}" for each in ids]
    assert slug(await client.post(f"{paths[0]}/approve")) == (401, "no-token")
    assert (await client.post(f"{paths[0]}/approve", headers=STAFF)).json()["state"] == "confirmed"
    assert slug(await client.post(f"{paths[1]}/approve", headers=STAFF)) == (409, "no-seat-left")
    waits = await client.post(f"{paths[1]}/approve", headers=STAFF, json={"when_full": "waitlist"})
    assert waits.json()["waitlist_position"] == 1
    declined = await client.post(f"{paths[2]}/decline", headers=STAFF, json={"reason": "for public bodies"})
    assert (declined.json()["state"], declined.json()["reason"]) == ("declined", "for public bodies")
    assert slug(await client.post(f"{API}/enrolments", json=body(place, "carme"))) == (409, "refused-before")


async def test_staff_list_who_takes_part_as_json_and_as_csv(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop())
    path = f"{API}/workshops/{place}/enrolments"
    for name in ("ada", "ben"):
        await enrolled(client, place, name)
    await client.post(f"{API}/enrolments", json=body(place, "x", person={"name": "=1+1", "email": "c@example.org"}))
    assert slug(await client.get(path)) == (401, "no-token")
    first = (await client.get(f"{path}?limit=2", headers=STAFF)).json()
    rest = (await client.get(path, params={"cursor": first["next"]}, headers=STAFF)).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["ada", "ben", "=1+1"]
    assert (rest["items"][0]["waitlist_position"], rest["next"]) == (1, None)
    table = await client.get(path, headers=STAFF | CSV)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row.split(",")[8] for row in table.text.splitlines()] == ["name", "ada", "ben", "'=1+1"]


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("TEXT/CSV", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv;header=present", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv-schema, */*", "application/json"),
        (";;q=x,,text/csv;q=lots", "application/json"),
    ],
)
async def test_a_list_is_csv_to_who_prefers_it(client: httpx.AsyncClient, desk: Desk, accept: str, given: str) -> None:
    place = await desk.keep(workshop())
    answer = await client.get(f"{API}/workshops/{place}/enrolments", headers=STAFF | {"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, given)


async def test_seats_are_public(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(workshop(seats={"in_person": 1, "online": None}))
    await enrolled(client, place)
    assert (await client.get(f"{API}/workshops/{place}/seats")).json() == {
        "in_person": {"capacity": 1, "confirmed": 1, "offered": 0, "waitlisted": 0, "available": 0},
        "online": {"capacity": None, "confirmed": 0, "offered": 0, "waitlisted": 0, "available": None},
    }
    assert slug(await client.get(f"{API}/workshops/{uuid4()}/seats")) == (404, "unknown-workshop")


async def test_an_address_that_asks_too_fast_is_slowed_down(url: str, clock: HandClock) -> None:
    app = app_of(url, clock, rate_limit="2")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://convoca.test") as client:
        statuses = [(await client.post(f"{API}/enrolments", json=body(uuid4()))).status_code for _ in range(3)]
    await app.state.service.database.close()
    assert statuses == [404, 404, 429]
