"""`convoca publisher`: the outside systems that write."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli import outside
from deploy.cli.target import Target, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, SystemName, answer, fail, group, refuse, say
from shared.messaging.publishers import require_name

app = group("publisher", "Outside systems that write.")


class Service(StrEnum):
    """The services that take events from outside."""

    CATALOGUE = "catalogue"
    REGISTRATION = "registration"


@app.command()
def add(
    name: SystemName,
    service: Annotated[Service, typer.Option("--service", help="The service that takes its events.")],
    data: DataFolder = DEFAULT_FOLDER,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Let an outside system write: its own topic, and what it needs for HTTP and for Kafka, printed once.

    Example: convoca publisher add city-cms --service catalogue --json
    """
    require_name(name)
    added = asyncio.run(outside.add_publisher(target(data), service.value, name))
    if as_json:
        answer(added.model_dump_json())
        return
    say(f"{name} writes to {added.topic}, as {added.source}; its token, shown this once:")
    answer(added.token)
    if added.kafka.username:
        say(f"on Kafka it is the user {added.kafka.username}; its password, shown this once:")
        answer(added.kafka.password or "")


@app.command()
def remove(
    name: SystemName,
    service: Annotated[
        Service | None, typer.Option("--service", help="The service that took its events; needed where several did.")
    ] = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Take nothing more from an outside system, by either way; what it has said stands.

    Example: convoca publisher remove city-cms --service catalogue
    """
    require_name(name)
    where = target(data)
    chosen = service.value if service else _the_one_that_knows(where, name)
    if not asyncio.run(outside.remove_publisher(where, chosen, name)):
        fail(f"{chosen} knows no publisher {name}")
    say(f"{chosen} takes nothing more from {name}")


def _the_one_that_knows(where: Target, name: str) -> str:
    """Name the service that takes events from a system; ends the command where it is not one alone."""
    services = [each.value for each in Service]
    knowing = asyncio.run(outside.knowing(where, services, name))
    if not knowing:
        fail(f"neither {' nor '.join(services)} knows a publisher {name}")
    if len(knowing) > 1:
        refuse(f"{' and '.join(knowing)} know a publisher {name}: say which is to forget it, by --service")
    return knowing[0]
