"""What is wrong is said in one shape, with the field, and nothing comes of it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.system.offers import session, workshop
from tests.system.outside import let_in
from tests.system.people import Person, request
from tests.system.stack import Enrolled, Stack, slug_of
from tests.waiting import eventually

ENROLMENTS = "/api/registration/enrolments"
WORKSHOPS = "/api/catalogue/workshops"
LARGEST = 256 * 1024
STAFF_ONLY = [
    ("POST", WORKSHOPS),
    ("PATCH", f"{WORKSHOPS}/{{id}}"),
    ("POST", f"{WORKSHOPS}/{{id}}/schedule"),
    ("POST", f"{WORKSHOPS}/{{id}}/reschedule"),
    ("POST", f"{WORKSHOPS}/{{id}}/cancel"),
    ("POST", f"{WORKSHOPS}/{{id}}/close"),
    ("POST", f"{ENROLMENTS}/{{id}}/approve"),
    ("POST", f"{ENROLMENTS}/{{id}}/decline"),
    ("GET", "/api/registration/workshops/{id}/enrolments"),
    ("GET", "/api/notifications/notices"),
]


def fields(answer: httpx.Response) -> set[str]:
    """Give the fields that a problem names; fails where one is without a word on what is wrong."""
    assert (answer.status_code, slug_of(answer)) == (422, "invalid")
    assert all(each["message"] for each in answer.json()["errors"])
    return {each["field"] for each in answer.json()["errors"]}


async def test_a_request_to_enrol_that_is_wrong_has_each_field_named(stack: Stack) -> None:
    energy = await stack.offer(workshop())
    assert fields(await stack.http.post(ENROLMENTS, json={})) == {"workshop_id", "attendance", "person"}
    person = {"name": "Núria\r\nBcc: everybody", "email": "nowhere", "language": "fr"}
    wrong = {"attendance": "astral", "person": person, "organisation": {"name": "", "kind": "circus"}}
    answer = await stack.http.post(ENROLMENTS, json={"workshop_id": str(energy.id), "accepts": ["privacy"], **wrong})
    named = {"attendance", "person.name", "person.email", "person.language", "organisation.name", "organisation.kind"}
    assert fields(answer) == named
    assert "nowhere" not in answer.text
    assert fields(await stack.ask(energy, Person(), attendance="online")) == {"attendance"}
    assert fields(await stack.ask(energy, Person(), accepts=[])) == {"accepts"}
    assert (await stack.seats(energy)).json()["in_person"]["confirmed"] == 0


async def test_a_workshop_that_is_wrong_has_each_field_named(stack: Stack) -> None:
    stated = workshop(
        kind="party",
        title={},
        seats={"in_person": -1},
        sessions=[session(timezone="Europe/Vic"), session(ends_at="2041-04-10T09:00:00+02:00")],
    )
    answer = await stack.http.post(WORKSHOPS, json=stated, headers=stack.staff)
    assert fields(answer) == {"kind", "title", "seats.in_person", "sessions.0.timezone", "sessions.1"}


async def test_a_workshop_that_nobody_knows_is_not_found(stack: Stack) -> None:
    nowhere = request(str(uuid4()), Person())
    answers = [
        await stack.http.post(ENROLMENTS, json=nowhere),
        await stack.http.get(f"/api/registration/workshops/{uuid4()}/seats"),
        await stack.http.get(f"{WORKSHOPS}/{uuid4()}"),
        await stack.http.get(f"{WORKSHOPS}/no-such-slug"),
    ]
    assert [(each.status_code, slug_of(each)) for each in answers] == [(404, "unknown-workshop")] * 4


async def test_before_it_opens_and_after_it_closes_nobody_enrols(stack: Stack) -> None:
    early = await stack.offer(workshop(registration={"opens_at": "2041-01-01T00:00:00Z"}))
    refused = await stack.ask(early, Person())
    assert (refused.status_code, slug_of(refused), refused.json()["because"]) == (409, "not-open", "not-yet")
    closing = await stack.offer(workshop())
    await stack.steer(closing, "close")

    async def closed() -> httpx.Response | None:
        answer = await stack.ask(closing, Person())
        return answer if answer.status_code == 409 else None

    answer = await eventually(closed, "enrolment to have closed")
    assert answer is not None
    assert (slug_of(answer), answer.json()["because"]) == ("not-open", "over")


async def test_who_must_register_elsewhere_is_given_the_link(stack: Stack) -> None:
    link = "https://events.example.org/netzero"
    energy = await stack.offer(workshop(registration={"external_url": link}))
    refused = await stack.ask(energy, Person())
    assert (refused.status_code, slug_of(refused)) == (409, "external-registration")
    assert refused.json()["link"] == link
    assert link in (await stack.http.get(f"/workshops/{energy.slug}")).text


async def test_a_body_that_is_no_json_or_too_large_is_refused(stack: Stack) -> None:
    as_json = {"content-type": "application/json"}
    for path in (ENROLMENTS, WORKSHOPS):
        headers = as_json | stack.staff
        malformed = await stack.http.post(path, content=b'{"workshop_id": ', headers=headers)
        assert (malformed.status_code, slug_of(malformed)) == (400, "malformed")
        announced = await stack.http.post(path, content=b" " * (LARGEST + 1), headers=headers)
        assert (announced.status_code, slug_of(announced)) == (413, "too-large")
        unannounced = await stack.http.post(path, content=_in_pieces(LARGEST + 1), headers=headers)
        assert (unannounced.status_code, slug_of(unannounced)) == (413, "too-large")


async def test_the_same_key_gets_the_same_answer_and_another_body_is_refused(stack: Stack) -> None:
    energy, person = await stack.offer(workshop()), Person("Xènia")
    body = request(str(energy.id), person)

    async def post(stated: dict[str, Any]) -> httpx.Response:
        return await stack.http.post(ENROLMENTS, json=stated, headers={"Idempotency-Key": f"key-{person.mark}"})

    first, second = await post(body), await post(body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    stack.links.add(Enrolled.model_validate_json(first.content).token)
    other = await post(request(str(energy.id), Person()))
    assert (other.status_code, slug_of(other)) == (422, "idempotency-key-reused")
    assert (await stack.seats(energy)).json()["in_person"]["confirmed"] == 1
    await stack.settled(energy, {"participant.confirmed": 1})
    await stack.told(person, 1)


async def test_who_is_enrolled_already_is_told_so_and_nothing_of_it_is_revealed(stack: Stack) -> None:
    energy, person = await stack.offer(workshop()), Person("Yasmina")
    enrolled = await stack.enrol(energy, person)
    again = await stack.ask(energy, person)
    assert (again.status_code, slug_of(again)) == (409, "already-enrolled")
    assert enrolled.token not in again.text
    assert str(enrolled.enrolment_id) not in again.text
    somebody = {"name": "Somebody Else", "email": person.address.upper(), "language": "en"}
    claimed = await stack.ask(energy, person, person=somebody)
    assert slug_of(claimed) == "already-enrolled"
    (mail,) = await stack.told(person, 1)
    assert person.name in mail.text


@pytest.mark.parametrize(("method", "path"), STAFF_ONLY)
async def test_what_staff_do_is_closed_to_others(stack: Stack, method: str, path: str) -> None:
    where = path.format(id=uuid4())
    stranger = await stack.http.request(method, where)
    assert (stranger.status_code, slug_of(stranger)) == (401, "no-token")
    assert stranger.headers["www-authenticate"] == "Bearer"
    guess = await stack.http.request(method, where, headers={"Authorization": "Bearer guess"})
    assert (guess.status_code, slug_of(guess)) == (401, "unknown-token")


async def test_a_participants_token_does_not_make_one_staff(stack: Stack) -> None:
    enrolled = await stack.enrol(await stack.offer(workshop()), Person())
    headers = {"Authorization": f"Bearer {enrolled.token}"}
    for method, path in STAFF_ONLY:
        answer = await stack.http.request(method, path.format(id=uuid4()), headers=headers)
        assert (path, answer.status_code, slug_of(answer)) == (path, 403, "wrong-scope")


@pytest.mark.parametrize("service", ["catalogue", "registration"])
async def test_a_publishers_token_does_not_make_one_staff(stack: Stack, service: str) -> None:
    system = await let_in(stack, service)
    paths = [(method, path) for method, path in STAFF_ONLY if path.startswith(f"/api/{service}/")]
    assert paths
    for method, path in paths:
        headers = {"Authorization": f"Bearer {system.token}"}
        answer = await stack.http.request(method, path.format(id=uuid4()), headers=headers)
        assert (answer.status_code, slug_of(answer)) == (403, "wrong-scope")


async def test_an_enrolment_is_shown_to_its_holder_and_to_staff_only(stack: Stack) -> None:
    energy = await stack.offer(workshop())
    mine, anothers = await stack.enrol(energy, Person()), await stack.enrol(energy, Person())
    path = f"{ENROLMENTS}/{mine.enrolment_id}"
    assert (await stack.http.get(path, headers={"Authorization": f"Bearer {mine.token}"})).status_code == 200
    assert (await stack.http.get(path, headers=stack.staff)).status_code == 200
    assert (await stack.http.get(path)).status_code == 401
    for verb in ("", "/withdraw"):
        stranger = await stack.http.request("POST" if verb else "GET", path + verb, params={"token": anothers.token})
        assert (stranger.status_code, slug_of(stranger)) == (403, "not-yours")
    forged = mine.token[:-1] + ("A" if mine.token[-1] != "A" else "B")
    assert (await stack.http.get(path, params={"token": forged})).status_code == 401
    assert (await stack.http.get(f"/enrolments/{forged}")).status_code == 404
    assert (await stack.enrolment(mine))["state"] == "confirmed"


async def _in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 65_536):
        yield b" " * min(65_536, size - start)
