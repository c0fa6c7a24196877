"""`convoca publisher`: the outside systems that write."""

import asyncio
import json
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, group, say
from shared.events.topics import inbound
from shared.messaging import kafka, publishers, topics

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
    """Let an outside system write: its own topic, and a token for HTTP that is printed once.

    Example: convoca publisher add city-cms --service catalogue --json
    """
    where = target(data)
    topic = inbound(service.value, name)
    settings = where.kafka()

    async def work() -> str:
        async with where.transaction(service.value) as tx:
            made = await publishers.add(tx.session, name, tx.now)
            await topics.ensure(settings, [topic])
        return made

    drawn = asyncio.run(work())
    secured = settings.kafka_security.startswith("sasl")
    if as_json:
        access = {
            "name": name,
            "service": service.value,
            "topic": topic.name,
            "source": publishers.source_of(name),
            "token": drawn,
            "kafka": {
                "servers": settings.kafka_servers,
                "security": settings.kafka_security,
                "mechanism": kafka.MECHANISM if secured else None,
                "username": None,
                "password": None,
                "ca": None,
            },
        }
        answer(json.dumps(access))
    else:
        say(f"{name} writes to {topic.name}, as {publishers.source_of(name)}; its token, shown this once:")
        answer(drawn)


@app.command()
def remove(
    name: Name,
    service: Annotated[Service, typer.Option("--service", help="The service that took its events.")],
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Take nothing more from an outside system.

    Example: convoca publisher remove city-cms --service catalogue
    """
    where = target(data)

    async def work() -> bool:
        async with where.transaction(service.value) as tx:
            return await publishers.remove(tx.session, name)

    if not asyncio.run(work()):
        fail(f"{service.value} knows no publisher {name}")
    say(f"{service.value} takes nothing more from {name}")
