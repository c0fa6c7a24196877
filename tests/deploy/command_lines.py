"""Command lines as documents and the command itself name them: found in a text, and read without being done."""

import re
import shlex
from typing import Any

import typer
from typer.core import TyperGroup

from deploy.cli.command import VERBS, commands

LINES = re.compile(r"^(convoca .+)$|`(convoca [^`]+)`", re.MULTILINE)
WRONG_USE: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]  # typer has no name for it


class NoCommand(Exception):  # noqa: N818 - what it is
    """The command would not take this line."""


def named(text: str) -> list[str]:
    return [first or second for first, second in LINES.findall(text)]


def parse(line: str) -> None:
    """Read a command line as the command would, and do nothing; raises NoCommand where it is none."""
    _, *words = shlex.split(line)
    command: Any = typer.main.get_command(commands(VERBS))
    while isinstance(command, TyperGroup):
        if not words or words[0] not in command.commands:
            raise NoCommand(line)
        command = command.commands[words.pop(0)]
    try:
        command.make_context(line, words)
    except WRONG_USE as error:
        raise NoCommand(line) from error
