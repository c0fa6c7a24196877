"""What cannot be read or understood is kept byte for byte, staff hear of it, and nothing waits behind it."""

import json

import pytest

from shared.events.topics import dead_letters
from tests.system.offers import workshop
from tests.system.outside import let_in, said
from tests.system.people import Person, request
from tests.system.stack import Mail, Publisher, Stack
from tests.system.streams import Headers, Record
from tests.waiting import eventually

UNREADABLE: tuple[bytes, bytes, Headers] = (
    b"\x00\xffkey",
    b'{"title": \xff\x00',
    (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"\xff\xfe"),
        ("ce_id", b"again"),
        ("x-nothing", None),
        ("content-type", b"application/json"),
    ),
)
MARKS = ["dl-reason", "dl-detail", "dl-topic", "dl-partition", "dl-offset", "dl-attempts", "dl-at"]


@pytest.mark.parametrize("service", ["catalogue", "registration"])
async def test_a_malformed_record_is_kept_as_it_came_and_the_next_is_taken(stack: Stack, service: str) -> None:
    system = await let_in(stack, service)
    kind = {"catalogue": "workshop.scheduled", "registration": "enrolment.requested"}[service]
    nonsense = said(system, kind, {"external_id": "spring", "attendance": "by carrier pigeon"})
    (bad,) = await stack.bus.send(system.topic, UNREADABLE)
    (wrong,) = await stack.bus.publish(system.topic, nonsense)
    await (_a_workshop_is_taken if service == "catalogue" else _a_request_is_taken)(stack, system)

    async def laid_down() -> list[Record]:
        records = await stack.bus.records(dead_letters(service).name)
        mine = [each for each in records if each.header("dl-topic") == system.topic]
        return mine if len(mine) >= 2 else []

    unreadable, invalid = await eventually(laid_down, "both dead letters")
    key, value, headers = UNREADABLE
    assert (unreadable.key, unreadable.value) == (key, value)
    assert unreadable.headers[: len(headers)] == headers
    for letter, at, reason in ((unreadable, bad, "unreadable"), (invalid, wrong, "invalid")):
        marks = dict(letter.headers[-len(MARKS) :])
        assert list(marks) == MARKS
        assert letter.header("dl-reason") == reason
        assert (letter.header("dl-partition"), letter.header("dl-offset")) == (str(at.partition), str(at.offset))
    assert json.loads(invalid.value or b"") == nonsense.get_data()
    assert "attendance" in invalid.header("dl-detail") or "sessions" in invalid.header("dl-detail")
    assert "pigeon" not in invalid.header("dl-detail")
    await _staff_are_told(stack, service, "unreadable", system)
    await _staff_are_told(stack, service, "invalid", system)


async def _a_workshop_is_taken(stack: Stack, system: Publisher) -> None:
    await stack.bus.publish(system.topic, said(system, "workshop.scheduled", workshop(external_id="good")))

    async def taken() -> bool:
        return [each.external_id for each in await stack.workshops(system)] == ["good"]

    await eventually(taken, "the good record to be taken")


async def _a_request_is_taken(stack: Stack, system: Publisher) -> None:
    energy, person = await stack.offer(workshop()), Person("Roger")
    asked = said(system, "enrolment.requested", request(str(energy.id), person))
    await stack.bus.publish(system.topic, asked)
    (mail,) = await stack.told(person, 1)
    assert energy.title["ca"] in mail.subject


async def _staff_are_told(stack: Stack, service: str, reason: str, system: Publisher) -> None:
    """Look for what is sent at once: the first of a service and reason, and this is the only test that has one."""

    async def told() -> list[Mail]:
        return [mail for mail in await stack.mailbox() if f"in {service}: {reason}" in mail.subject]

    (mail,) = await eventually(told, f"staff to be told of what is {reason}")
    assert system.topic in mail.text
