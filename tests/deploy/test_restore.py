"""A deployment is kept in a file while it runs, and brought back from it whole: nothing lost, nobody told twice."""

import asyncio
import json
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.deploy.kept import mails_to, newest, state, taken
from tests.deploy.running import Up, convoca, free_port, until
from tests.system.offers import workshop
from tests.system.people import Person, request

PUBLISHED = {
    "specversion": "1.0",
    "id": "019927c4-7d1e-7a3b-9c55-0d6f8a1b2c3e",
    "source": "/publishers/city-cms",
    "type": "workshop.scheduled",
    "subject": "late-one",
}
TOPIC = "inbound.catalogue.city-cms"


@dataclass(frozen=True)
class Kept:
    """A backup that was made of a stack which then died, what the stack had, and the mail that somebody got from it."""

    file: Path
    manifest: dict[str, Any]
    folder: Path
    state: dict[str, list[str]]
    streams: dict[tuple[str, bytes], bytes]
    person: Person
    mails: set[str]
    link: str
    said: str


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process for a while, so that it takes nothing."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def message_ids(stack: Up) -> set[str]:
    return {mail["message_id"] for mail in httpx.get(f"{stack.shown()['url']}/mailbox.json").json()}


def enrolled(stack: Up, person: Person) -> str:
    """Enrol somebody; gives the link by which they withdraw, from the mail that they got."""
    url = stack.shown()["url"]
    made = convoca("token", "create", "--scope", "staff", "--name", "keeper", folder=stack.folder)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {made.stdout.strip()}"}) as staff:
        one = staff.post("/api/catalogue/workshops", json=workshop()).raise_for_status().json()
        staff.post(f"/api/catalogue/workshops/{one['id']}/schedule").raise_for_status()
        until(lambda: staff.get(f"/api/registration/workshops/{one['id']}/seats").status_code == httpx.codes.OK)
        answer = staff.post("/api/registration/enrolments", json=request(one["id"], person)).raise_for_status().json()
    until(lambda: mails_to(stack, person) == 1)
    [mail] = [mail for mail in httpx.get(f"{url}/mailbox.json").json() if mail["to"] == person.address]
    token = answer["manage_url"].rpartition("/")[2]
    assert token in mail["text"]
    return f"/api/registration/enrolments/{answer['enrolment_id']}/withdraw?token={token}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    root = tmp_path_factory.mktemp("kept")
    stack, file, person = Up(root / "first", free_port()), root / "monday.convoca", Person("Aina")
    stack.ready()
    try:
        link = enrolled(stack, person)
        convoca("publisher", "add", "city-cms", "--service", "catalogue", folder=stack.folder)
        taken(stack)
        shown = stack.shown()
        before = asyncio.run(state(shown["databases"])), asyncio.run(newest(shown["kafka"]))
        mails = message_ids(stack)
        event = root / "event.json"
        data = workshop(external_id="late-one", title={"ca": "Arriba tard"})
        event.write_text(json.dumps({**PUBLISHED, "data": data}))
        with frozen(shown["processes"]["catalogue"]):
            # One that can be read, and one that cannot, whose only name is where it lies.
            assert convoca("events", "publish", str(event), "--topic", TOPIC, folder=stack.folder).returncode == 0
            event.write_text(json.dumps({**PUBLISHED, "source": "/publishers/another", "data": {}}))
            assert convoca("events", "publish", str(event), "--topic", TOPIC, folder=stack.folder).returncode == 0
            run = convoca("backup", str(file), "--json", folder=stack.folder)
        assert run.returncode == 0, run.stderr
        again = convoca("backup", str(file), folder=stack.folder)
        assert (again.returncode, again.stdout) == (1, "")
        assert "is not overwritten" in again.stderr
    finally:
        stack.stop(signal.SIGKILL)
    return Kept(file, json.loads(run.stdout), stack.folder, *before, person, mails, link, run.stderr)


def test_a_backup_says_what_it_holds_and_is_its_owners_alone(kept: Kept) -> None:
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    assert [each.name for each in kept.file.parent.iterdir() if each.name.endswith(".part")] == []
    services = kept.manifest["services"]
    assert {name: each["records"] for name, each in services.items()} == {
        "catalogue": 2,
        "registration": 0,
        "notifications": 0,
    }
    assert services["registration"]["rows"]["enrolments"] == 1
    assert kept.manifest["secrets"] == ["secrets.json"]
    key = json.loads((kept.folder / "secrets.json").read_bytes())["key"]
    assert key.encode() not in kept.file.read_bytes()
    assert "personal data" in kept.said


def test_what_is_restored_is_as_it_was_and_nobody_is_told_twice(kept: Kept, tmp_path: Path) -> None:
    stranger = convoca("restore", str(kept.file), folder=tmp_path)
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "--lose-links" in stranger.stderr
    assert not (tmp_path / "postgres").exists()
    shutil.copy(kept.folder / "secrets.json", tmp_path)
    run = convoca("restore", str(kept.file), "--json", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == kept.manifest
    again = convoca("restore", str(kept.file), folder=tmp_path)
    assert again.returncode == 1
    assert "1 enrolments" in again.stderr
    assert "--replace" in again.stderr
    replaced = convoca("restore", str(kept.file), "--replace", folder=tmp_path)
    assert replaced.returncode == 0, replaced.stderr
    stack = Up(tmp_path, free_port())
    try:
        url = stack.ready()
        running = convoca("restore", str(kept.file), "--replace", folder=tmp_path)
        assert running.returncode == 1
        assert "convoca up" in running.stderr
        taken(stack)
        shown = stack.shown()
        now = asyncio.run(state(shown["databases"]))
        late = [row for row in now["catalogue.workshops"] if "late-one" in row]
        assert len(late) == 1
        assert [name for name, rows in now.items() if set(kept.state[name]) - set(rows)] == []
        assert now["registration.enrolments"] == kept.state["registration.enrolments"]
        streams = asyncio.run(newest(shown["kafka"]))
        assert {each: streams.get(each) for each in kept.streams} == kept.streams
        assert mails_to(stack, kept.person) == 0
        assert kept.mails
        assert kept.mails & message_ids(stack) == set()
        letters = convoca("dead-letters", "list", "--service", "catalogue", "--json", folder=tmp_path)
        assert [each["reason"] for each in json.loads(letters.stdout)["items"]] == ["not-owner"]
        letter = json.loads(letters.stdout)["items"][0]["id"]
        convoca("dead-letters", "discard", str(letter), "--service", "catalogue", folder=tmp_path)
        well = convoca("doctor", "--json", folder=tmp_path)
        assert (well.returncode, [each for each in json.loads(well.stdout)["findings"] if not each["ok"]]) == (0, [])
        httpx.post(f"{url}{kept.link}").raise_for_status()
        until(lambda: mails_to(stack, kept.person) == 1)
    finally:
        stack.stop()
