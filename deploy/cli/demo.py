"""`convoca demo`: the whole system, and a story told on it."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, answer, verb
from deploy.cli.up import Port
from deploy.demo.run import run
from deploy.demo.show import Show

app = verb()
Once = Annotated[bool, typer.Option("--once", help="End when the story is told: 0, or 1 where an effect is missing.")]


@app.command()
def demo(
    once: Once = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
    port: Port = 8000,
) -> None:
    """Run the whole system and tell a story on it: an import, an outside system, people, a queue, changes.

    It acts and looks from outside only, and checks that each step has its effect. Told again on the same data it is
    another story. Without --once the system then stays until Ctrl-C.

    Example: convoca demo --once --data /tmp/convoca-demo
    """
    show = Show(Console(stderr=True))
    if not asyncio.run(run(data, port, show, answer, once=once)):
        raise SystemExit(1)
