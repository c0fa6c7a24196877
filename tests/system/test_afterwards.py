"""What must be true when all journeys are over: who is on which stream, in which log, and what was mailed."""

import json
import re
from pathlib import Path

from shared.events.topics import JOINING, PEOPLE, SERVICES, dead_letters
from tests.system.offers import JOIN_LINKS, session, workshop
from tests.system.outside import let_in, said
from tests.system.people import EVERYONE, Person, request
from tests.system.stack import ENDED, MANAGE_LINK, Mail, Notice, Stack, count
from tests.waiting import eventually

ADDRESS = re.compile(rb"[\w.+-]{3,}@[\w-]{3,}(?:\.[\w-]{2,})+")
"""Long enough that no bytes of a trace's identity read like one by chance; all addresses here are longer."""
IN_TRANSIT = "inbound.registration."
GATHERED = {"staff.new-enrolments", "staff.dead-letters"}
"""Rules whose mails may be due after the run, at the end of a quarter or of an hour."""


async def test_nothing_personal_and_no_link_is_where_it_should_not_be(stack: Stack) -> None:
    """Make a short journey, so that this holds by itself too, and then look at all that this run has left."""
    crm = await let_in(stack, "registration")
    energy = await stack.offer(workshop(sessions=[session(mode="online", place=None)], seats={"online": 1}))
    one, two = Person("Agnès"), Person("Bernat")
    await stack.enrol(energy, one, attendance="online")
    asked = request(str(energy.id), two, attendance="online")
    await stack.bus.publish(crm.topic, said(crm, "enrolment.requested", asked))
    await stack.bus.publish(crm.topic, said(crm, "enrolment.requested", asked | {"attendance": "astral"}))
    await stack.told(one, 1)
    await stack.told(two, 1)

    async def laid_down() -> bool:
        return any(two.mark in each for each in await stack.bus.records(dead_letters("registration").name))

    await eventually(laid_down, "the dead letter")
    tokens = stack.links | {match[1] for mail in await stack.mailbox() for match in MANAGE_LINK.finditer(mail.text)}
    marks = [each.mark for each in EVERYONE]
    on_streams: dict[str, set[str]] = {"people": set(), "links to join": set(), "tokens": set()}
    for record in await stack.bus.records():
        everything = b"\0".join(part for part in (record.key, record.value, *dict(record.headers).values()) if part)
        if any(mark.encode() in everything for mark in marks):
            on_streams["people"].add(record.topic)
        if any(link.encode() in everything for link in JOIN_LINKS):
            on_streams["links to join"].add(record.topic)
        if any(token.encode() in everything for token in tokens):
            on_streams["tokens"].add(record.topic)
    people = {each for each in on_streams["people"] if not each.startswith(IN_TRANSIT)}
    assert people == {PEOPLE.name, dead_letters("registration").name}
    assert crm.topic in on_streams["people"]
    joining = {each for each in on_streams["links to join"] if not each.startswith("inbound.catalogue.")}
    assert joining - {dead_letters("catalogue").name} == {JOINING.name}
    assert on_streams["tokens"] == set()
    secrets = [*marks, *tokens, *JOIN_LINKS, stack.staff["Authorization"].removeprefix("Bearer ")]
    _logs_tell_of_nobody(stack.logs, secrets)
    await _metrics_and_traces_tell_of_nobody(stack, secrets)


async def test_every_notice_that_was_sent_is_one_mail_and_every_mail_is_a_notice(stack: Stack) -> None:
    async def at_rest() -> list[Notice]:
        mailed = {_notice_of(mail) for mail in await stack.mailbox()}
        notices = await stack.notices()
        sent = {str(each.notice_id) for each in notices if each.state == "sent"}
        ended = {each.state for each in notices if each.rule not in GATHERED} <= ENDED
        return notices if ended and mailed == sent else []

    notices = await eventually(at_rest, "every notice to be at its end, and every one that was sent in the mailbox")
    assert set(count(map(_notice_of, await stack.mailbox())).values()) == {1}
    assert [each for each in notices if each.state in {"failed", "uncertain"}] == []
    told = count(f"{each.event_id} {each.rule} {each.recipient} {each.channel}" for each in notices)
    assert set(told.values()) <= {1}


async def _metrics_and_traces_tell_of_nobody(stack: Stack, secrets: list[str]) -> None:
    scraped = {f"metrics of {service}": (await stack.metrics(service)).encode() for service in SERVICES}
    assert all(b"convoca_http_request_seconds_count" in each for each in scraped.values())
    assert {each.service for each in stack.collector.spans} == {f"convoca-{service}" for service in SERVICES}
    for name, told in (*scraped.items(), ("traces", b"".join(stack.collector.bodies))):
        assert (name, ADDRESS.findall(told)) == (name, [])
        assert (name, [each for each in secrets if each.encode() in told]) == (name, [])


def _each_line_is_json(written: bytes) -> None:
    for line in written.splitlines():
        assert list(json.loads(line))[:4] == ["time", "level", "service", "event"]


def _notice_of(mail: Mail) -> str:
    return mail.message_id.strip("<>").partition("@")[0]


def _logs_tell_of_nobody(folder: Path, secrets: list[str]) -> None:
    logs = {path.name: path.read_bytes() for path in folder.glob("*.log*")}
    assert {"catalogue.log", "registration.log", "notifications.log", "front.log"} <= set(logs)
    for service in SERVICES:
        _each_line_is_json(logs[f"{service}.log"])
    for name, written in logs.items():
        assert (name, ADDRESS.findall(written)) == (name, [])
        assert (name, [each for each in secrets if each.encode() in written]) == (name, [])
