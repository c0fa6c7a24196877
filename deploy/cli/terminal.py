"""How the command speaks: to machines on stdout, to people on stderr; and the options all verbs share."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

DEFAULT_FOLDER = Path(".convoca")
DataFolder = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", envvar="CONVOCA_DATA", help="The folder of the embedded stack."),
]
EarlyDataFolder = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The folder of the embedded stack.", hidden=True)
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
SystemName = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")]
Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="Its number, as `list` shows it.")]


class Service(StrEnum):
    """The services, as one names them to a verb that acts on one."""

    CATALOGUE = "catalogue"
    REGISTRATION = "registration"
    NOTIFICATIONS = "notifications"


def group(name: str | None, purpose: str) -> typer.Typer:
    """Make a command that has verbs; `--data` is understood before the verb too."""
    made = typer.Typer(
        name=name,
        help=purpose,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @made.callback()
    def early(data: EarlyDataFolder = None) -> None:
        if data is not None:
            os.environ["CONVOCA_DATA"] = str(data)  # where the verb's own option looks

    return made


def verb() -> typer.Typer:
    """Make a command that is one verb."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    raise SystemExit(1)


def refuse(line: str) -> NoReturn:
    """Say in one line what was asked wrongly, and end with 2."""
    say(line)
    raise SystemExit(2)
