"""`convoca publisher`: the outside systems that write."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli import outside
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, group, say

app = group("publisher", "Outside systems that write.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")]


class Service(StrEnum):
    """The services that take events from outside."""

    CATALOGUE = "catalogue"
    REGISTRATION = "registration"


@app.command()
def add(
    name: Name,
    service: Annotated[Service, typer.Option("--service", help="The service that takes its events.")],
    data: DataFolder = DEFAULT_FOLDER,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Let an outside system write: its own topic, and what it needs for HTTP and for Kafka, printed once.

    Example: convoca publisher add city-cms --service catalogue --json
    """
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
    name: Name,
    service: Annotated[Service, typer.Option("--service", help="The service that took its events.")],
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Take nothing more from an outside system, by either way; what it has said stands.

    Example: convoca publisher remove city-cms --service catalogue
    """
    if not asyncio.run(outside.remove_publisher(target(data), service.value, name)):
        fail(f"{service.value} knows no publisher {name}")
    say(f"{service.value} takes nothing more from {name}")
