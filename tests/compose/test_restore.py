"""A deployment that has lost everything but its folder is brought back from a backup."""

import json
import re
import time
from pathlib import Path

import httpx
from cloudevents.core.bindings.http import to_binary_event

from shared.events.topics import SERVICES
from tests.compose.deployed import Deployed
from tests.deploy import kept
from tests.system.offers import workshop
from tests.system.outside import said
from tests.system.people import Person, request
from tests.waiting import eventually

NEWEST = (Path(__file__).parent / "newest.py").read_text(encoding="utf-8")
FILE = "/backups/first.convoca"
LOST = re.compile(r"`convoca publisher remove (\S+) --service (\w+)`, and add it again: its password is lost")


async def held(stack: Deployed) -> dict[str, list[str]]:
    """Give every row of what the services keep."""
    password = (stack.deployment.folder / "secrets" / "postgres_password").read_text(encoding="utf-8").strip()
    server = f"postgresql://postgres:{password}@{await stack.deployment.address('postgres', 'stores')}:5432"
    return await kept.state({service: f"{server}/{service}" for service in SERVICES})


async def newest(stack: Deployed) -> dict[str, str]:
    """Give the newest event of each key on the streams."""
    ran = await stack.deployment.run("ops", "-c", NEWEST, options=("--entrypoint", "python"))
    return dict(json.loads(ran.well()))


async def test_all_is_lost_and_all_comes_back(stack: Deployed) -> None:
    offered = await stack.offer(workshop(seats={"in_person": 1}))
    first, second, third = Person("Aina"), Person("Biel"), Person("Carla")
    enrolled = await stack.enrol(offered, first)
    waits = await stack.enrol(offered, second)
    for person in (first, second):
        await stack.told(person, 1)
    crm = await stack.let_in("registration")

    (await stack.deployment.run("ops", "backup", FILE)).well()
    refused = await stack.deployment.run("ops", "backup", FILE)
    assert refused.code == 1, "a backup was written over"
    before, streams = await held(stack), await newest(stack)
    assert [each for each in before["registration.enrolments"] if str(enrolled.enrolment_id) in each]
    assert f"registration.enrolments {enrolled.enrolment_id}" in streams

    (await stack.deployment.compose("--profile", "*", "down", "--volumes", "--timeout", "20")).well()
    since = time.monotonic()
    await stack.deployment.timing("anew, databases and broker", "up", "--detach", "--wait", "postgres", "kafka")
    (await stack.deployment.run("migrate")).well()
    (await stack.deployment.run("ops", "restore", FILE)).well()
    (await stack.deployment.compose("up", "--detach", "--wait")).well()
    stack.deployment.note("restored, from nothing until all is healthy", since)

    async def streams_are_back() -> bool:
        return await newest(stack) == streams

    await eventually(streams_are_back, "the streams as they were")
    assert await held(stack) == before
    assert await stack.mails(first) == [], "the catcher forgot its mails, and nobody is written to again"
    withdrawn = await stack.decide(enrolled, "withdraw")  # by the link in the mail of before
    assert withdrawn.status_code == httpx.codes.OK, withdrawn.text
    (mail,) = await stack.told(second, 1)
    assert offered.title["ca"] in mail.subject
    assert (await stack.enrolment(waits))["state"] == "confirmed"
    message = to_binary_event(said(crm, "enrolment.requested", request(str(offered.id), third)))
    headers = {**message.headers, "Authorization": f"Bearer {crm.token}"}
    taken = await stack.http.post("/api/registration/events", content=message.body, headers=headers)
    assert taken.status_code == httpx.codes.ACCEPTED
    await stack.told(third, 1)


async def test_the_doctor_names_what_no_restore_brings_back_and_then_finds_all_well(stack: Deployed) -> None:
    crm = await stack.let_in("registration")
    await put_away_dead_letters(stack)
    ran = await stack.deployment.run("ops", "doctor")
    lost = set(LOST.findall(ran.out))
    assert (ran.code, ran.out.count("WRONG")) == (1 if lost else 0, len(lost)), ran.out
    assert crm.name not in {name for name, _ in lost}
    for name, service in lost:
        (await stack.deployment.run("ops", "publisher", "remove", name, "--service", service)).well()
        (await stack.deployment.run("ops", "publisher", "add", name, "--service", service)).well()
    ran = await stack.deployment.run("ops", "doctor")
    assert ran.code == 0, ran.out + ran.err


async def put_away_dead_letters(stack: Deployed) -> None:
    """Put away what other tests had refused, by the commands that the doctor names."""
    for service in SERVICES:
        told = await stack.deployment.run("ops", "dead-letters", "list", "--service", service, "--all", "--json")
        for letter in json.loads(told.well())["items"]:
            named = "ops", "dead-letters", "discard", str(letter["id"]), "--service", service
            (await stack.deployment.run(*named)).well()
