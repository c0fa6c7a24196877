"""A broker that lost everything is filled again, by itself and by `convoca events replay`; nobody is told twice."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from shared.events.topics import OWN, SERVICES
from tests.deploy.conftest import Command
from tests.deploy.kept import mails_to, newest, state, taken, topics
from tests.deploy.running import Up, convoca, convoca_here, status, until
from tests.system.offers import workshop
from tests.system.people import Person, request


def replay(command: Command, *options: str) -> dict[str, Any]:
    code, out, said = command("events", "replay", "--json", *options)
    assert code == 0, said
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.fixture(scope="module")
def person(stack: Up) -> Person:
    """Enrol somebody in a workshop, who then has a mail."""
    url, who = stack.shown()["url"], Person("Neus")
    made = convoca("token", "create", "--scope", "staff", "--name", "replay", folder=stack.folder)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {made.stdout.strip()}"}) as staff:
        one = staff.post("/api/catalogue/workshops", json=workshop()).raise_for_status().json()
        staff.post(f"/api/catalogue/workshops/{one['id']}/schedule").raise_for_status()
        until(lambda: staff.get(f"/api/registration/workshops/{one['id']}/seats").status_code == httpx.codes.OK)
        staff.post("/api/registration/enrolments", json=request(one["id"], who)).raise_for_status()
    until(lambda: mails_to(stack, who) == 1)
    taken(stack)
    return who


def test_a_broker_that_lost_everything_is_filled_again_and_nobody_is_told_twice(stack: Up, person: Person) -> None:
    shown = stack.shown()
    kept, lay = asyncio.run(state(shown["databases"])), asyncio.run(newest(shown["kafka"]))
    assert kept["notifications.enrolments"]
    assert lay
    psutil.Process(shown["processes"]["broker"]).kill()
    until(lambda: all(stack.shown()["processes"][name] != shown["processes"][name] for name in ("broker", *SERVICES)))
    for service in SERVICES:
        until(partial(_is_ready, shown["url"], service))
    taken(stack)
    assert asyncio.run(topics(shown["kafka"])) >= {topic.name for own in OWN.values() for topic in own}
    assert asyncio.run(newest(shown["kafka"])) == lay
    assert asyncio.run(state(shown["databases"])) == kept
    assert mails_to(stack, person) == 1


def _is_ready(url: str, service: str) -> bool:
    return status(f"{url}/api/{service}/health/ready") == httpx.codes.OK


def test_a_replay_sends_what_it_has_counted_and_nobody_is_told_twice(
    stack: Up, command: Command, person: Person
) -> None:
    shown = stack.shown()
    kept, lay = asyncio.run(state(shown["databases"])), asyncio.run(newest(shown["kafka"]))
    for service, topic in (("registration", None), ("catalogue", "catalogue.workshops"), ("notifications", None)):
        asked = ("--service", service, *(("--topic", topic) if topic else ()))
        counted = replay(command, *asked, "--dry-run")
        assert counted["messages"] > 0
        done = replay(command, *asked)
        assert done == {**counted, "dry_run": False}
    taken(stack)
    assert asyncio.run(newest(shown["kafka"])) == lay
    assert asyncio.run(state(shown["databases"])) == kept
    assert mails_to(stack, person) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--since", "yesterday"),
        ("--since", "2999-01-01"),
        ("--since", "0001-01-01T00:00:00+14:00"),
        ("--topic", "registration.people"),
        ("--topic", "dead-letters.catalogue"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_and_one_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    asked = ("events", "replay", "--service", "catalogue", *wrong)
    code, out, said = convoca_here(monkeypatch, *asked, folder=tmp_path)
    assert (code, out) == (2, "")
    [line] = said.splitlines()
    assert wrong[1] in line
