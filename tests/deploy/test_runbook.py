"""What is to be done when something is wrong is done by commands that there are."""

import re
from pathlib import Path

import pytest

from tests.deploy.command_lines import NoCommand, named, parse

DEPLOY = Path(__file__).parents[2] / "deploy"
RUNBOOK = named((DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", sorted(set(RUNBOOK)))
def test_each_command_of_the_runbook_is_one(line: str) -> None:
    parse(line)


def test_the_runbook_speaks_of_what_is_asked_of_it() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(headings) == 15
    assert {line.split()[1] for line in RUNBOOK} >= {"backup", "restore", "doctor", "migrate", "events", "outbox"}


@pytest.mark.parametrize(
    "line", ["convoca nonsense", "convoca doctor --nonsense", "convoca restore", "convoca events replay --service x"]
)
def test_what_is_no_command_would_be_seen(line: str) -> None:
    with pytest.raises(NoCommand):
        parse(line)
