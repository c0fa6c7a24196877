"""Pages: the frame of each, its language, and what browsers are told of it."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from jinja2 import UndefinedError

from shared.web.pages import Pages
from tests.web.browser import barriers, read
from tests.web.conftest import Visit

PARTS = """
{% set width = "wide" %}
{% extends "layout.html" %}
{% import "parts.html" as parts %}
{% block trail %}{{ parts.trail([("/workshops", _("Workshops"))]) }}{% endblock %}
{% block content %}
<h1>{{ spoken({"en": "From <plan> to project"}, "en") }}</h1>
{% call parts.notice("Fet", "good") %}<p>{{ word("enrolment", "confirmed") }}</p>{% endcall %}
<ul class="cards">
{% for title in ["Un", "Dos"] %}
{% set state = parts.badge("Obert", "good") %}
{% call parts.card("/workshops/" ~ title, title, on, word("kind", "webinar"), state) %}<p>x</p>{% endcall %}
{% endfor %}
</ul>
<dl class="facts">{% call parts.fact("Quan") %}{{ parts.when(start, end, "Europe/Copenhagen") }}{% endcall %}</dl>
{{ parts.more("/workshops?cursor=x") }}
{% endblock %}
"""


@pytest.fixture
def shown(app: FastAPI, pages: Pages, folder: Path) -> FastAPI:
    (folder / "templates" / "workshops.html").write_text(PARTS, encoding="utf-8")

    @app.get("/workshops")
    @app.get("/enrolments/{token}")
    async def show(request: Request) -> Response:
        start, end = (datetime(2027, 3, 10, hour, tzinfo=UTC) for hour in (10, 11))
        return pages.render(request, "workshops.html", on=date(2027, 4, 10), start=start, end=end)

    return app


@pytest.mark.parametrize("language", ["ca", "es", "en"])
async def test_a_page_keeps_nobody_out(shown: FastAPI, visit: Visit, language: str) -> None:
    async with visit(shown) as client:
        answer = await client.get("/workshops", params={"lang": language})
    page = read(answer.text)
    assert not barriers(page)
    assert page.one("html").attributes["lang"] == language == answer.headers["content-language"]
    assert page.one("main").attributes["class"] == "wrap wide"


async def test_the_first_thing_that_a_keyboard_reaches_skips_to_the_content(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        page = read((await client.get("/workshops")).text)
    assert page.all("a")[0].attributes["href"] == "#content"
    assert page.one("main").attributes["id"] == "content"


async def test_a_text_in_another_language_says_so_and_is_escaped(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        answers = {language: (await client.get(f"/workshops?lang={language}")).text for language in ("ca", "en")}
    assert '<h1><span lang="en">From &lt;plan&gt; to project</span></h1>' in answers["ca"]
    assert "<h1>From &lt;plan&gt; to project</h1>" in answers["en"]


async def test_the_language_that_is_asked_for_is_remembered(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        assert (await client.get("/workshops", headers={"accept-language": "es"})).headers["content-language"] == "es"
        assert "set-cookie" not in (await client.get("/workshops")).headers
        cookie = (await client.get("/workshops?lang=en")).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert (await client.get("/workshops", headers={"accept-language": "es"})).headers["content-language"] == "en"
        assert "set-cookie" not in (await client.get("/workshops?lang=xx")).headers


async def test_behind_a_front_door_with_tls_the_cookie_stays_on_tls(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        answer = await client.get("/workshops?lang=en", headers={"x-forwarded-proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


async def test_the_languages_lead_to_the_same_page_and_keep_its_questions(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        page = read((await client.get("/workshops?q=energia&lang=es")).text)
    links = {one.attributes["lang"]: one for one in page.all("a") if "hreflang" in one.attributes}
    assert {code: one.attributes["href"] for code, one in links.items()} == {
        code: f"/workshops?q=energia&lang={code}" for code in ("ca", "es", "en")
    }
    assert [code for code, one in links.items() if "aria-current" in one.attributes] == ["es"]


@pytest.mark.parametrize(("path", "here"), [("/workshops", "page"), ("/enrolments/token", None)])
async def test_the_header_says_where_one_is(shown: FastAPI, visit: Visit, path: str, here: str | None) -> None:
    async with visit(shown) as client:
        page = read((await client.get(path)).text)
    (link,) = (one for one in page.all("a", href="/workshops") if "header" in one.above)
    assert link.attributes.get("aria-current") == here


async def test_nothing_foreign_runs_on_a_page_and_no_link_with_a_token_leaks(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        answer = await client.get("/enrolments/token")
    policy = dict(one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]
    assert "http://" not in answer.text.replace("http://convoca.test", "")
    assert "https://" not in answer.text


async def test_all_that_a_page_loads_is_there_and_may_be_kept(shown: FastAPI, visit: Visit) -> None:
    async with visit(shown) as client:
        page = read((await client.get("/workshops")).text)
        loaded = {one.attributes["href"] for one in page.all("link")} | {
            one.attributes["src"] for one in page.all("img")
        }
        assert any("style.css" in address for address in loaded)
        for address in loaded:
            answer = await client.get(address)
            assert answer.status_code == 200, address
            assert "max-age" in answer.headers["cache-control"]


async def test_a_name_that_a_template_lacks_is_a_mistake_that_shows(pages: Pages, app: FastAPI, folder: Path) -> None:
    (folder / "templates" / "page.html").write_text(
        '{% extends "layout.html" %}{{ "" }}{% block content %}{{ nothing }}{% endblock %}'
    )
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "app": app})
    with pytest.raises(UndefinedError, match="nothing"):
        pages.render(request, "page.html")


def test_what_keeps_people_out_is_found() -> None:
    page = read(
        '<html><body><header></header><main><h1>A</h1><input id="a"><img src="x"><a href="#b">c</a>'
        '<p style="color: red"></p><p id="a"></p><button></button></main></body></html>'
    )
    assert len(barriers(page)) == 8
