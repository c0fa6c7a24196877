"""The `convoca` command, as people and scripts use it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.conftest import Command
from tests.deploy.running import CONVOCA, Up, convoca, convoca_here, surroundings

EVENT = {
    "specversion": "1.0",
    "id": "019927c4-7d1e-7a3b-9c55-0d6f8a1b2c3d",
    "source": "/publishers/tail-cms",
    "type": "workshop.cancelled",
    "subject": "never-published",
    "data": {"external_id": "never-published"},
}


INTERRUPTED = """\
import sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == "deploy.embedded.folder":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from deploy.cli import main
main()
"""
"""Ctrl-C while the command is being loaded."""
ROWS = """\
programmes:
  - slug: good-one
    title: {ca: Bo}
  - slug: Not a slug
    title: {ca: Dolent}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("migrate", "nonsense"),
        ("token", "create", "--scope", "everything", "--name", "x"),
        ("token", "create", "--scope", "staff"),
        ("token", "create", "--scope", "staff", "--name", " "),
        ("up", "--port", "x"),
        ("import", "no-such-file.yaml"),
        ("publisher", "add", "x", "--service", "notifications"),
        ("publisher", "add", "City CMS", "--service", "catalogue"),
        ("publisher", "remove", "City CMS"),
        ("reader", "add", "city_site", "--topic", "catalogue.workshops"),
        ("events", "publish", "no-such-file.json"),
        ("events", "publish", "."),
        ("outbox", "discard", "0", "--service", "catalogue"),
        ("restore", "x.convoca", "--service", "catalogue"),
    ],
)
def test_wrong_use_ends_with_2_and_says_nothing_to_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    code, out, err = convoca_here(monkeypatch, *arguments, folder=tmp_path)
    assert (code, out) == (2, "")
    assert "\x1b[" not in err


@pytest.mark.parametrize(
    "verb",
    [
        "up",
        "demo",
        "migrate",
        "import",
        "token create",
        "publisher add",
        "events tail",
        "events replay",
        "dead-letters retry",
        "outbox retry",
        "backup",
        "restore",
        "doctor",
    ],
)
def test_each_verb_explains_itself_with_an_example(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    code, out, _ = convoca_here(monkeypatch, *verb.split(), "--help")
    assert code == 0
    assert f"Example: convoca {verb}" in out
    assert "\x1b[" not in out


def test_without_a_stack_one_line_says_so(tmp_path: Path) -> None:
    run = convoca("token", "create", "--scope", "staff", "--name", "maria", folder=tmp_path)
    assert (run.returncode, run.stdout) == (1, "")
    assert len(run.stderr.splitlines()) == 1
    assert str(tmp_path) in run.stderr


def test_settings_that_name_half_a_deployment_are_refused_by_name(tmp_path: Path) -> None:
    run = subprocess.run(
        [CONVOCA, "migrate", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(CONVOCA_KAFKA_SERVERS="127.0.0.1:9"),
    )
    assert run.returncode == 1
    assert run.stderr.splitlines() == ["convoca: CONVOCA_CATALOGUE_DATABASE_URL: is missing"]


def test_the_folder_is_understood_before_the_verb_and_in_the_environment(stack: Up) -> None:
    early = [CONVOCA, "--data", str(stack.folder), "token", "revoke", "nobody"]
    for command, settings in ((early, {}), (early[:1] + early[3:], {"CONVOCA_DATA": str(stack.folder)})):
        run = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings(**settings))
        assert run.stderr == "convoca: there is no token of nobody\n"


def test_a_publisher_gets_what_it_needs_once(stack: Up) -> None:
    add = ("publisher", "add", "city-cms", "--service", "catalogue", "--json")
    admitted = json.loads(convoca(*add, folder=stack.folder).stdout)
    assert admitted["token"]
    assert admitted == {
        "name": "city-cms",
        "service": "catalogue",
        "topic": "inbound.catalogue.city-cms",
        "source": "/publishers/city-cms",
        "token": admitted["token"],
        "kafka": {
            "servers": stack.shown()["kafka"],
            "security": "plaintext",
            "mechanism": None,
            "username": None,
            "password": None,
            "ca": None,
        },
    }
    again = convoca(*add, folder=stack.folder)
    assert (again.returncode, again.stdout) == (1, "")
    assert convoca("publisher", "remove", "city-cms", "--service", "catalogue", folder=stack.folder).returncode == 0
    assert convoca(*add, folder=stack.folder).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("publisher", "add", "City CMS", "--service", "catalogue"),
        ("reader", "add", "city_site", "--topic", "catalogue.workshops"),
        ("events", "publish", "no-such-file.json"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    _, _, err = convoca_here(monkeypatch, *arguments, folder=tmp_path)
    (line,) = err.splitlines()
    assert line.startswith(("convoca: a system's name is lower-case letters", "convoca: no-such-file.json cannot be"))


def test_a_publisher_is_removed_without_its_service_where_only_one_knows_it(command: Command) -> None:
    for service in ("catalogue", "registration"):
        assert command("publisher", "add", "both-cms", "--service", service)[0] == 0
    code, out, err = command("publisher", "remove", "both-cms")
    assert (code, out) == (2, "")
    assert err == (
        "convoca: catalogue and registration know a publisher both-cms: say which is to forget it, by --service\n"
    )
    assert command("publisher", "remove", "both-cms", "--service", "catalogue")[0] == 0
    left = command("publisher", "remove", "both-cms")
    assert left == (0, "", "convoca: registration takes nothing more from both-cms\n")
    gone = command("publisher", "remove", "both-cms")
    assert gone == (1, "", "convoca: neither catalogue nor registration knows a publisher both-cms\n")


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("catalogue.workshop", "near it: catalogue.workshops"),
        ("nope", "these are: catalogue.incidents, catalogue.joining, catalogue.workshops,"),
    ],
)
def test_a_topic_that_there_is_not_is_not_waited_for(command: Command, topic: str, told: str) -> None:
    code, out, err = command("events", "tail", "--topic", topic)
    assert (code, out) == (2, "")
    assert err.startswith(f"convoca: there is no topic '{topic}'; {told}")
    assert len(err.splitlines()) == 1


def test_who_thinks_better_of_it_at_once_sees_no_traceback() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "")


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """Have what is started hear SIGINT, though a shell that runs the suites in its background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_interrupts")
def test_who_has_seen_enough_ends_a_tail_quietly(stack: Up) -> None:
    tail = subprocess.Popen(
        [CONVOCA, "events", "tail"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(CONVOCA_DATA=str(stack.folder)),
    )
    assert tail.stderr is not None
    assert "following" in tail.stderr.readline()
    tail.send_signal(signal.SIGINT)
    _, err = tail.communicate(timeout=30)
    assert (tail.returncode, err) == (0, "")


def test_an_event_that_is_published_is_seen_by_who_tails(stack: Up, tmp_path: Path) -> None:
    convoca("publisher", "add", "tail-cms", "--service", "catalogue", folder=stack.folder)
    tail = subprocess.Popen(
        [CONVOCA, "events", "tail", "--topic", "inbound.catalogue.tail-cms", "--json", "--count", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(CONVOCA_DATA=str(stack.folder)),
    )
    assert tail.stderr is not None
    assert "following" in tail.stderr.readline()
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    assert convoca("events", "publish", str(file), folder=stack.folder).returncode == 0
    out, _ = tail.communicate(timeout=30)
    seen = json.loads(out)
    assert {name: seen[name] for name in EVENT} == EVENT
    assert seen["topic"] == "inbound.catalogue.tail-cms"


@pytest.mark.parametrize("content", ["nonsense", '{"id": "1"}', '{"specversion": "1.0", "id": "1"}'])
def test_what_is_no_cloud_event_is_not_published(command: Command, tmp_path: Path, content: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(content)
    code, _, err = command("events", "publish", str(file), "--topic", "inbound.catalogue.x")
    assert code == 1
    assert len(err.splitlines()) == 1


def test_a_row_that_is_refused_stops_no_other(stack: Up, tmp_path: Path) -> None:
    file = tmp_path / "programme.yaml"
    file.write_text(
        "programmes:\n  - slug: good-one\n    title: {ca: Bo}\n  - slug: Not a slug\n    title: {ca: Dolent}\n"
    )
    tried = convoca("import", str(file), "--dry-run", "--json", folder=stack.folder)
    taken = convoca("import", str(file), "--json", folder=stack.folder)
    for run in (tried, taken):
        assert run.returncode == 1
        assert [row["outcome"] for row in json.loads(run.stdout)] == ["created", "refused"]
    again = convoca("import", str(file), folder=stack.folder)
    assert [line.split()[0] for line in again.stdout.splitlines()] == ["unchanged", "refused"]
