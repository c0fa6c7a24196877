"""`convoca migrate`: what a deployment stands on, brought up to date."""

import asyncio
from typing import Annotated

import typer

from deploy import prepare
from deploy.cli.target import Target, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, say, verb
from deploy.databases import provide
from deploy.kafka.access import access_to
from deploy.kafka.services import rights_of
from shared.events.topics import SERVICES

Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", help=f"{', '.join(SERVICES)}; all when none is named."),
]


app = verb()


@app.command()
def migrate(services: Services = None, data: DataFolder = DEFAULT_FOLDER) -> None:
    """Bring databases up to date, make the topics and say who may use them; safe to run twice and side by side.

    On a broker that asks its clients who they are, each service's user may write what is the service's own and read
    what it follows. Where CONVOCA_<SERVICE>_KAFKA_PASSWORD is set, the user is made with it; where
    CONVOCA_POSTGRES_ADMIN_URL is, so are the databases and roles that the services' addresses name.

    Example: convoca migrate catalogue
    """
    wanted = tuple(services or SERVICES)
    for service in wanted:
        if service not in SERVICES:
            message = f"there is no service {service}; there are {', '.join(SERVICES)}"
            raise typer.BadParameter(message)
    made = asyncio.run(bring_up_to_date(target(data), wanted))
    say(f"up to date: {', '.join(wanted)}; topics made: {', '.join(made) or 'none, all were there'}")


async def bring_up_to_date(where: Target, services: tuple[str, ...] = SERVICES) -> list[str]:
    """Do what `migrate` is for; answers the topics made."""
    databases = where.database_urls(services)
    if administrator := where.postgres_admin():
        await provide(administrator, databases)
    await prepare.migrate(databases)
    settings = where.kafka()
    made = await prepare.make_topics(settings, databases)
    access = access_to(settings)
    for service in services:
        user, password = where.kafka_user(service)
        await access.allow(user, rights_of(service), password)
    return made
