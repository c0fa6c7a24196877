"""What is to be done when something is wrong is done by commands that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from deploy.cli.command import VERBS, commands

DEPLOY = Path(__file__).parents[2] / "deploy"
LINES = re.compile(r"^(convoca .+)$|`(convoca [^`]+)`", re.MULTILINE)
PLACEHOLDER = {"S": "catalogue"}


def named(text: str) -> list[str]:
    return [first or second for first, second in LINES.findall(text)]


RUNBOOK = named((DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8"))


def parse(line: str) -> None:
    """Read a command line as the command would, and do nothing; raises ClickException or Exit where it is none."""
    _, *words = shlex.split(line)
    command: click.Command = typer.main.get_command(commands(VERBS))
    context = None
    while isinstance(command, click.Group) and words:
        name, command, words = command.resolve_command(click.Context(command, parent=context), words)  # type: ignore[assignment]
        if not isinstance(command, click.Group):
            command.make_context(name, list(words))


@pytest.mark.parametrize("line", sorted(set(RUNBOOK)))
def test_each_command_of_the_runbook_is_one(line: str) -> None:
    parse(line)


def test_the_runbook_speaks_of_what_is_asked_of_it() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(headings) == 10
    assert {line.split()[1] for line in RUNBOOK} >= {"backup", "restore", "doctor", "migrate", "events", "outbox"}


@pytest.mark.parametrize(
    "line", ["convoca nonsense", "convoca doctor --nonsense", "convoca restore", "convoca events replay --service x"]
)
def test_what_is_no_command_would_be_seen(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(line)
