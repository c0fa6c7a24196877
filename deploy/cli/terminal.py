"""How the command speaks: to machines on stdout, to people on stderr; and the options that all verbs share."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

DEFAULT_FOLDER = Path(".convoca")
DataFolder = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", envvar="CONVOCA_DATA", help="The folder of the embedded stack."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def answer(line: str) -> None:
    """Write a line that machines read."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Write a line that people read."""
    sys.stderr.write(f"convoca: {line}\n")
    sys.stderr.flush()


def fail(line: str) -> NoReturn:
    """Say in one line what went wrong, and end with 1."""
    say(line)
    raise typer.Exit(1)
