"""`convoca migrate`: what a deployment stands on, brought up to date."""

import asyncio
from typing import Annotated

import typer

from deploy import prepare
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, say, verb
from deploy.embedded.folder import SERVICES

Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", help=f"{', '.join(SERVICES)}; all when none is named."),
]


app = verb()


@app.command()
def migrate(services: Services = None, data: DataFolder = DEFAULT_FOLDER) -> None:
    """Bring databases up to date and make the topics; safe to run twice and side by side.

    Example: convoca migrate catalogue
    """
    wanted = tuple(services or SERVICES)
    for service in wanted:
        if service not in SERVICES:
            message = f"there is no service {service}; there are {', '.join(SERVICES)}"
            raise typer.BadParameter(message)
    where = target(data)

    async def work() -> list[str]:
        databases = where.database_urls(wanted)
        await prepare.migrate(databases)
        return await prepare.make_topics(where.kafka(), databases)

    made = asyncio.run(work())
    say(f"up to date: {', '.join(wanted)}; topics made: {', '.join(made) or 'none, all were there'}")
