"""The catalogue's pages: what a person reads of a workshop, in each language and each state."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.catalogue.imports import import_file
from tests.clock import HandClock
from tests.operations.catalogue.conftest import START
from tests.operations.catalogue.test_http import SESSION, WORKSHOPS, anybody, app, scheduled, staff

__all__ = ["anybody", "app", "staff"]
PROGRAMME = Path(__file__).parents[3] / "deploy" / "demo" / "programme.yaml"


async def read(client: httpx.AsyncClient, path: str, language: str = "ca", **query: str) -> str:
    answer = await client.get(path, params={"lang": language, **query})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ca", ["Etapa d&#39;habilitació", "dissabte, 10 d'abril de 2027", "Presencial: 30 places", "Inscriure-s'hi"]),
        ("es", ["sábado, 10 de abril de 2027", "Presencial: 30 plazas", "Inscribirse", 'lang="ca"']),
        ("en", ["Saturday, 10 April 2027", "In person: 30 seats", "Online: no limit", "Enrol"]),
    ],
)
async def test_a_workshop_says_when_where_and_how_one_gets_in(
    staff: httpx.AsyncClient, language: str, said: list[str]
) -> None:
    slug = (await scheduled(staff))["slug"]
    page = await read(staff, f"/workshops/{slug}", language)
    for words in (*said, "Sala gran, Copenhagen", f'href="/enrol/{slug}"'):
        assert words in page or words.replace("'", "&#39;") in page


async def test_an_id_leads_to_the_address_by_name(staff: httpx.AsyncClient) -> None:
    shown = await scheduled(staff)
    answer = await staff.get(f"/workshops/{shown['id']}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/workshops/{shown['slug']}")


async def test_a_workshop_registered_elsewhere_leads_there(staff: httpx.AsyncClient) -> None:
    terms = {"external_url": "https://example.org/enrol?a=1&b=2", "closes_at": "2027-04-01T10:00:00+02:00"}
    shown = await scheduled(staff, registration=terms)
    page = await read(staff, f"/workshops/{shown['slug']}", "en")
    assert 'href="https://example.org/enrol?a=1&amp;b=2"' in page
    assert "/enrol/etapa" not in page
    assert "You can enrol until Thursday, 1 April 2027 at 10:00." in page


async def test_enrolment_that_is_not_open_offers_no_button(staff: httpx.AsyncClient, clock: HandClock) -> None:
    terms = {"opens_at": "2027-02-01T10:00:00+01:00", "closes_at": "2027-03-01T10:00:00+01:00"}
    path = f"/workshops/{(await scheduled(staff, registration=terms))['slug']}"
    page = await read(staff, path, "en")
    assert "Enrolment opens on Monday, 1 February 2027 at 10:00." in page
    assert "/enrol/" not in page
    clock.now = START - timedelta(days=1)
    page = await read(staff, path, "en")
    assert "Enrolment closed on Monday, 1 March 2027 at 10:00." in page
    assert "/enrol/" not in page


async def test_a_cancelled_workshop_says_so_and_why(staff: httpx.AsyncClient) -> None:
    shown = await scheduled(staff)
    await staff.post(f"{WORKSHOPS}/{shown['id']}/cancel", json={"reason": {"ca": "Pluja <b>"}})
    page = await read(staff, f"/workshops/{shown['slug']}")
    assert "cancel·lat" in page
    assert "Pluja &lt;b&gt;" in page
    assert "/enrol/" not in page
    assert shown["slug"] not in await read(staff, "/")
    assert shown["slug"] in await read(staff, "/workshops")


async def test_a_workshop_that_was_moved_says_so(staff: httpx.AsyncClient) -> None:
    shown = await scheduled(staff)
    assert "dates have changed" not in await read(staff, f"/workshops/{shown['slug']}", "en")
    later = SESSION | {"starts_at": "2027-05-01T09:00:00+02:00", "ends_at": "2027-05-01T10:00:00+02:00"}
    await staff.post(f"{WORKSHOPS}/{shown['id']}/reschedule", json={"sessions": [later]})
    assert "dates have changed" in await read(staff, f"/workshops/{shown['slug']}", "en")


async def test_the_list_filters_without_scripts(anybody: httpx.AsyncClient, staff: httpx.AsyncClient) -> None:
    await scheduled(staff, title={"ca": "Mobilitat"}, sessions=[SESSION | {"mode": "online"}])
    await scheduled(staff, title={"ca": "Energia"}, sessions=[SESSION | {"mode": "in_person"}])
    assert "/workshops/energia" not in await read(anybody, "/workshops", q="mobilitat")
    assert "/workshops/mobilitat" not in await read(anybody, "/workshops", mode="in_person")
    assert "/workshops/mobilitat" not in await read(anybody, "/workshops", **{"from": "2027-05-01"})
    wrong = await read(anybody, "/workshops", **{"from": "demà", "mode": "x", "q": "mobilitat\0"})
    assert "/workshops/mobilitat" in wrong
    assert 'aria-invalid="true"' in wrong
    assert "<script" not in wrong


async def test_the_list_leads_on_to_its_next_piece(anybody: httpx.AsyncClient, staff: httpx.AsyncClient) -> None:
    for number in range(21):
        await scheduled(staff, title={"ca": f"Taller {number}"})
    first = await read(anybody, "/workshops", q="taller")
    address = (
        first.split('rel="next"', maxsplit=1)[0].rsplit('href="', maxsplit=1)[1].split('"')[0].replace("&amp;", "&")
    )
    second = (await anybody.get(address)).text
    assert 'href="/workshops/taller-20"' in second
    assert 'href="/workshops/taller-0"' not in second


async def test_the_example_programme_shows_its_group_its_requirement_and_its_path(
    app: FastAPI, anybody: httpx.AsyncClient, clock: HandClock
) -> None:
    await import_file(app.state.service.database, PROGRAMME, now=clock(), redate=clock().date())
    for language, requirement in (
        ("ca", "La voluntat de compartir"),
        ("es", "La voluntad de compartir"),
        ("en", "The willingness to share"),
    ):
        assert requirement in await read(anybody, "/workshops/small-giants-primera-reunio", language)
        assert "SMCNetZero" in await read(anybody, "/workshops/smcnetzero-habilitacio", language)
    assert "12 places" in await read(anybody, "/workshops/small-giants-trobada-barcelona")
