"""One address for three services: what is for inside stays inside, and people are spoken to in their language."""

import httpx
import pytest

from shared.events.topics import SERVICES
from tests.system.browser import FilledForm, Page
from tests.system.offers import workshop
from tests.system.people import Language, Person
from tests.system.stack import Stack, Workshop

LANGUAGES: tuple[Language, ...] = ("ca", "es", "en")
FRONT: dict[Language, str] = {"ca": "Tallers", "es": "Talleres", "en": "Workshops"}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_shows_its_health_and_its_api_but_not_its_metrics(stack: Stack, service: str) -> None:
    for kind in ("live", "ready"):
        assert (await stack.http.get(f"/api/{service}/health/{kind}")).status_code == 200
    described = (await stack.http.get(f"/api/{service}/openapi.json")).raise_for_status().json()
    assert [path for path in described["paths"] if not path.startswith(f"/api/{service}/")] == [
        path for path in described["paths"] if not path.startswith("/api/")
    ]
    assert any(path.startswith(f"/api/{service}/") for path in described["paths"])
    for hidden in ("metrics", "metrics/", "%6Detrics", "health/../metrics"):
        answer = await stack.http.get(f"/api/{service}/{hidden}")
        assert answer.status_code == 404
        assert "convoca_" not in answer.text


async def test_an_address_with_a_slash_too_many_leads_on_by_the_way_one_came(stack: Stack) -> None:
    answer = await stack.http.get("/workshops/", params={"lang": "en"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/workshops?lang=en")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_in_the_visitors_language(stack: Stack, language: Language) -> None:
    energy = await stack.offer(workshop())
    paths = ("/", "/workshops", f"/workshops/{energy.slug}", f"/enrol/{energy.slug}", "/no-such-page")
    for path in paths:
        status = 404 if path == "/no-such-page" else 200
        asked = await stack.http.get(path, params={"lang": language}, headers={"Accept": "text/html"})
        preferred = await stack.http.get(path, headers={"Accept-Language": f"{language};q=0.9", "Accept": "text/html"})
        stack.http.cookies.clear()  # which remember what was asked for
        for answer in (asked, preferred):
            page = Page.of(answer)
            assert (path, answer.status_code, page.language) == (path, status, language)
            assert FRONT[language] in page.text
            assert answer.headers["content-language"] == language
        if energy.slug in path:
            assert energy.title[language] in Page.of(asked).text


async def test_a_language_once_chosen_is_remembered(stack: Stack) -> None:
    await stack.http.get("/", params={"lang": "en"})
    energy = await stack.offer(workshop())
    there = Page.of(await stack.http.get(f"/enrol/{energy.slug}"))  # which another service shows
    stack.http.cookies.clear()
    assert there.language == "en"
    assert Page.of(await stack.http.get(f"/enrol/{energy.slug}")).language == "ca"


async def test_one_finds_a_workshop_enrols_by_its_form_and_withdraws(stack: Stack) -> None:
    energy, person = await stack.offer(workshop()), Person("Zoe")
    found = Page.of(await stack.http.get("/workshops", params={"q": energy.title["ca"].split()[-1]}))
    shown = Page.of(await stack.http.get(found.link(f"/workshops/{energy.slug}")))
    form = Page.of(await stack.http.get(shown.link(f"/enrol/{energy.slug}"))).form("person.email")

    empty = await stack.http.post(form.action, data=form.fields)
    assert empty.status_code == 422
    assert "Escriviu" in Page.of(empty).text or "cal" in Page.of(empty).text.lower()
    corrected = await _filled(Page.of(empty).form("person.email"), person)
    done = await stack.http.post(form.action, data=corrected)
    assert done.status_code == 303
    mine = Page.of(await stack.http.get(done.headers["location"]))
    assert person.address in mine.text
    twice = await stack.http.post(form.action, data=corrected)
    assert (twice.status_code, twice.headers["location"]) == (303, done.headers["location"])
    assert await _confirmed(stack, energy) == 1
    (mail,) = await stack.told(person, 1)
    assert mail.manage_url.endswith(httpx.URL(done.headers["location"]).path)
    stack.links.add(mail.manage_url.rpartition("/")[2])

    asking = Page.of(await stack.http.get(mine.link("/withdraw")))
    assert await _confirmed(stack, energy) == 1
    gone = await stack.http.post(asking.form().action, follow_redirects=True)
    assert not [link for link in Page.of(gone).links if link.endswith("/withdraw")]
    assert await _confirmed(stack, energy) == 0
    (_, farewell) = await stack.told(person, 2)
    assert farewell.method == "CANCEL"


async def _filled(form: FilledForm, person: Person) -> dict[str, str]:
    written = {"person.name": person.name, "person.email": person.address, "accepts[]": "privacy"}
    assert form.names >= {*written, "attendance", "person.language", "key"}
    assert (form.fields["attendance"], form.fields["person.language"]) == ("in_person", "ca")
    return form.fields | written


async def _confirmed(stack: Stack, energy: Workshop) -> int:
    return int((await stack.seats(energy)).json()["in_person"]["confirmed"])
