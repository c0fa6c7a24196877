"""Forms: what people wrote, what is wrong with it, and that they can be filled in by everybody."""

from pathlib import Path
from typing import Literal

import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, EmailStr, Field, ValidationError
from starlette.datastructures import FormData

from shared.errors import Invalid
from shared.web.forms import Form
from shared.web.i18n import Catalogues
from shared.web.pages import HERE, Pages
from tests.web.browser import barriers, read
from tests.web.conftest import Visit

CATALAN = Catalogues.load(HERE).translator("ca")
TEMPLATE = """
{% set width = "narrow" %}
{% extends "layout.html" %}
{% import "forms.html" as forms %}
{% block content %}
<h1>Inscripció</h1>
<form class="form" method="post" novalidate>
{{ forms.summary(form, {"person.email": "Correu"}) }}
{{ forms.hidden("workshop", "x") }}
{{ forms.text(form, "person.name", "Nom", attributes={"autocomplete": "name"}) }}
{{ forms.text(form, "person.email", "Correu", hint="Hi rebreu la confirmació.", type="email") }}
{{ forms.radios(form, "attendance", "Com?", choices("attendance")) }}
{{ forms.checks(form, "groups", "Grups", [("a", "Grup A"), ("b", "Grup B")], hint="Si voleu") }}
{{ forms.select(form, "organisation.kind", "Tipus", choices("organisation"), blank="Trieu") }}
{{ forms.area(form, "note", "Nota", required=false) }}
{{ forms.agree(form, "accepts", "privacy", "Accepto l'avís", hint="Versió 1") }}
{{ forms.button("Envieu", name="step", value="send") }}
</form>
{% endblock %}
"""


class Person(BaseModel):
    """Who enrols."""

    name: str = Field(min_length=1, max_length=20)
    email: EmailStr


class Organisation(BaseModel):
    """For whom."""

    kind: Literal["city", "company"]
    population: int | None = None


class Enrolment(BaseModel):
    """What the form makes."""

    person: Person
    organisation: Organisation
    accepts: list[str] = Field(min_length=1)


def sent(**fields: str) -> Form:
    return Form.read(FormData({name.replace("__", "."): value for name, value in fields.items()}))


def wrong(form: Form) -> Form:
    with pytest.raises(ValidationError) as refusal:
        Enrolment.model_validate(form.nested())
    return form.refused(refusal.value, CATALAN)


def test_what_is_sent_becomes_a_body_without_what_was_left_blank() -> None:
    form = Form.read(
        FormData(
            [("person.name", " Núria "), ("person.email", ""), ("groups[]", "a"), ("groups[]", "b"), ("note", "  ")]
        )
    )
    assert form.nested() == {"person": {"name": "Núria"}, "groups": ["a", "b"]}
    assert form.value("person.name") == " Núria "
    assert form.has("groups[]", "b")
    assert not form.has("groups[]", "c")


def test_names_that_collide_are_refused_and_break_nothing() -> None:
    with pytest.raises(Invalid):
        Form({"person": ["x"], "person.name": ["y"]}).nested()


def test_what_is_wrong_is_said_in_the_language_and_in_the_order_of_the_page() -> None:
    form = wrong(
        sent(person__email="nuria", person__name="", organisation__population="many", organisation__kind="moon")
    )
    assert dict(form.errors) == {
        "person.email": "Escriviu una adreça electrònica com ara nom@exemple.cat.",
        "person.name": "Cal omplir aquest camp.",
        "organisation.population": "Escriviu un nombre enter, com ara 39844.",
        "organisation.kind": "Trieu una de les opcions.",
        "accepts": "Cal omplir aquest camp.",
    }
    assert list(form.errors)[:4] == ["person.email", "person.name", "organisation.population", "organisation.kind"]


def test_what_is_too_long_is_told_so() -> None:
    form = wrong(sent(person__name="N" * 21, person__email="a@example.cat", organisation__kind="city"))
    assert form.errors["person.name"] == "És massa llarg: escurceu-ho."


def test_what_an_operation_refuses_is_shown_beside_its_field() -> None:
    form = sent(person__email="nuria@example.cat").refused(
        Invalid("No.", [("person.email", "This is not right: please check it.")]), CATALAN
    )
    assert form.errors == {"person.email": "No és correcte: reviseu-ho."}


@pytest.fixture
def with_form(app: FastAPI, pages: Pages, folder: Path) -> FastAPI:
    (folder / "templates" / "form.html").write_text(TEMPLATE, encoding="utf-8")

    @app.get("/enrol")
    async def empty(request: Request) -> Response:
        return pages.render(request, "form.html", form=Form.filled({"person.name": '"><script>'}))

    @app.post("/enrol")
    async def refuse(request: Request) -> Response:
        form = Form.read(await request.form())
        errors = dict.fromkeys(["person.email", "attendance", "groups", "organisation.kind", "accepts"], "Reviseu-ho.")
        return pages.render(request, "form.html", 422, form=Form(form.values, errors))

    return app


async def test_an_empty_form_keeps_nobody_out_and_says_what_is_known(with_form: FastAPI, visit: Visit) -> None:
    async with visit(with_form) as client:
        page = read((await client.get("/enrol")).text)
    assert not barriers(page)
    assert page.one("input", id="person.name").attributes["value"] == '"><script>'
    assert not page.all("p", **{"class": "error"})


async def test_a_refused_form_keeps_what_was_written_and_leads_to_what_is_wrong(
    with_form: FastAPI, visit: Visit
) -> None:
    data = {
        "person.email": "nuria",
        "attendance": "online",
        "groups[]": ["b"],
        "organisation.kind": "sme",
        "note": "<b>",
    }
    async with visit(with_form) as client:
        answer = await client.post("/enrol", data=data)
    page = read(answer.text)
    assert not barriers(page)
    email = page.one("input", id="person.email")
    assert (email.attributes["value"], email.attributes["aria-invalid"]) == ("nuria", "true")
    assert email.attributes["aria-describedby"] == "person.email-hint person.email-error"
    checked = [one.attributes["value"] for one in page.all("input") if "checked" in one.attributes]
    assert checked == ["online", "b"]
    assert [one.attributes["value"] for one in page.all("option") if "selected" in one.attributes] == ["sme"]
    assert page.one("textarea").text.strip() == "<b>"
    summary = [one.attributes["href"] for one in page.all("a") if "form" in one.above]
    assert summary == ["#person.email", "#attendance", "#groups", "#organisation.kind", "#accepts"]
    assert page.one("h2", id="wrong").text == "Cal corregir 5 coses"
