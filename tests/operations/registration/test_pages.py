"""Registration's pages: to enrol, to see what is one's own, to withdraw."""

import re
from typing import Any

import httpx

from services.registration import operations
from shared.events.catalogue import JoiningChanged, JoinLink, Session, Terms
from tests.operations.registration.conftest import API, START, Desk, body, workshop

SECRET = "https://meet.example.org/only-for-those-who-come"


def online(**changes: Any) -> Any:  # noqa: ANN401
    """Make a workshop online in Copenhagen, with one seat."""
    session = Session(starts_at=START, ends_at=START.replace(hour=11), timezone="Europe/Copenhagen", mode="online")
    return workshop(**({"slug": "etapa", "seats": {"online": 1}, "sessions": (session,)} | changes))


def filled(page: str, name: str, **changes: str) -> dict[str, str]:
    """Fill in the form that a page shows, and send the rest blank as a browser does."""
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key is not None
    fields = {"attendance": "online", "person.name": name, "person.email": f"{name}@example.org"}
    fields |= dict.fromkeys((f"organisation.{part}" for part in ("name", "kind", "country", "population")), "")
    return fields | {"key": key[1], "person.language": "ca", "accepts[]": "privacy"} | changes


async def test_one_enrols_on_a_page_and_a_second_click_takes_no_second_seat(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    place = await desk.keep(online())
    form = await client.get("/enrol/etapa")
    assert "queda 1 plaça" in form.text
    assert "10 d&#39;abril de 2027" in form.text
    sent = filled(form.text, "ada")
    first, second = [await client.post("/enrol/etapa", data=sent) for _ in range(2)]
    assert (first.status_code, first.headers["location"]) == (303, second.headers["location"])
    assert await desk.states(place) == {"ada": "confirmed"}
    page = await client.get(first.headers["location"])
    assert "Teniu plaça." in page.text
    assert "ada@example.org" in page.text


async def test_a_form_says_all_that_is_wrong_beside_its_field(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(online())
    page = (await client.get("/enrol/etapa")).text
    wrong = {"person.email": "ada", "accepts[]": "", "organisation.population": "molts", "organisation.name": "Vic"}
    answer = await client.post("/enrol/etapa", data=filled(page, "ada", **wrong))
    assert answer.status_code == 422
    for name in ("person.email", "organisation.kind", "organisation.population", "accepts"):
        assert f'id="{name}-error"' in answer.text
    assert 'value="Vic"' in answer.text
    assert await desk.states(place) == {}


async def test_a_page_says_why_one_does_not_get_in(client: httpx.AsyncClient, desk: Desk) -> None:
    fact = online(per_organisation=1)
    await desk.keep(fact)
    page = (await client.get("/enrol/etapa")).text
    await client.post("/enrol/etapa", data=filled(page, "ada"))
    again = await client.post("/enrol/etapa", data=filled((await client.get("/enrol/etapa")).text, "ada"))
    assert again.status_code == 409
    assert "Ja teniu una inscripció en aquest taller" in again.text
    assert "/enrolments/" not in again.text
    fresh = (await client.get("/enrol/etapa")).text
    await desk.keep(fact.model_copy(update={"registration": Terms(closes_at=desk.clock())}))
    assert "La inscripció ja és tancada" in (await client.get("/enrol/etapa")).text
    late = await client.post("/enrol/etapa", data=filled(fresh, "ben"))
    assert "La inscripció ja és tancada" in late.text
    missing = await client.get("/enrol/no-such", headers={"Accept": "text/html"})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_the_join_link_is_for_those_who_have_a_seat(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(online())
    async with desk.database.transaction(desk.clock()) as tx:
        joining = JoiningChanged(workshop_id=place, links=(JoinLink(number=1, join_url=SECRET),))
        await operations.keep_joining(tx, joining, 1)
    answers = [
        (await client.post(f"{API}/enrolments", json=body(place, name, attendance="online"))).json()
        for name in ("ada", "ben")
    ]
    seen = [SECRET in (await client.get(answer["manage_url"])).text for answer in answers]
    assert seen == [True, False]
    assert SECRET not in (await client.get("/enrol/etapa")).text


async def test_to_follow_a_link_withdraws_nobody(client: httpx.AsyncClient, desk: Desk) -> None:
    place = await desk.keep(online())
    home = (await client.post(f"{API}/enrolments", json=body(place, attendance="online"))).json()["manage_url"]
    question = await client.get(f"{home}/withdraw?lang=en")
    assert "Do you want to withdraw?" in question.text
    assert await desk.states(place) == {"ada": "confirmed"}
    done = await client.post(f"{home}/withdraw")
    assert (done.status_code, await desk.states(place)) == (303, {"ada": "withdrawn"})
    assert "You have withdrawn." in (await client.get(f"{home}?lang=en")).text
    for wrong in ("/enrolments/nonsense", f"{home[:-1]}{'A' if home[-1] != 'A' else 'B'}"):
        assert (await client.get(wrong, headers={"Accept": "text/html"})).status_code == 404
