"""`convoca token`: who may act as staff."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, answer, fail, group, say
from shared.events.topics import SERVICES
from shared.web import tokens

app = group("token", "Who may act as staff.")


def _called(name: str) -> str:
    if not name.strip() or not name.isprintable():
        message = "a token has a holder: give a name on one line"
        raise typer.BadParameter(message)
    return name.strip()


Holder = Annotated[
    str,
    typer.Option("--name", metavar="N", callback=_called, help="Who holds it; one of that name is replaced."),
]
Days = Annotated[int | None, typer.Option("--days", min=1, max=3650, help="How long; else until revoked.")]


class Scope(StrEnum):
    """What a token is for."""

    STAFF = "staff"


@app.command()
def create(
    scope: Annotated[Scope, typer.Option("--scope", help="What it lets one do.")],
    name: Holder,
    days: Days = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Make a bearer token for the staff endpoints of all services, print it once and keep only its hash.

    Example: convoca token create --scope staff --name maria --days 90
    """
    where, drawn = target(data), tokens.generate()

    async def work() -> None:
        for service in SERVICES:
            async with where.transaction(service) as tx:
                await tokens.create(tx.session, name, scope.value, drawn, tx.now, days)

    asyncio.run(work())
    answer(drawn)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose token ends.")],
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """End a token, at once and everywhere.

    Example: convoca token revoke maria
    """
    where = target(data)

    async def work() -> bool:
        known = False
        for service in SERVICES:
            async with where.transaction(service) as tx:
                known |= await tokens.revoke(tx.session, name)
        return known

    if not asyncio.run(work()):
        fail(f"there is no token of {name}")
    say(f"{name}'s token is no longer taken")
