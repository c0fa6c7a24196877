"""`convoca publisher`: the outside systems that write."""

import asyncio
import json
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, group, say
from deploy.kafka import rights
from deploy.kafka.access import Login, access_to
from shared.events.topics import inbound
from shared.messaging import publishers, topics

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
    where = target(data)
    topic = inbound(service.value, name)
    settings = where.kafka()

    async def work() -> tuple[str, Login]:
        async with where.transaction(service.value) as tx:
            token = await publishers.add(tx.session, name, tx.now)
            await topics.ensure(settings, [topic])
            user = rights.publisher_user(service.value, name)
            return token, await access_to(settings).let_in(user, rights.of_publisher(topic))

    token, login = asyncio.run(work())
    if as_json:
        admitted = {
            "name": name,
            "service": service.value,
            "topic": topic.name,
            "source": publishers.source_of(name),
            "token": token,
            "kafka": login.model_dump(),
        }
        answer(json.dumps(admitted))
        return
    say(f"{name} writes to {topic.name}, as {publishers.source_of(name)}; its token, shown this once:")
    answer(token)
    if login.username:
        say(f"on Kafka it is the user {login.username}; its password, shown this once:")
        answer(login.password or "")


@app.command()
def remove(
    name: Name,
    service: Annotated[Service, typer.Option("--service", help="The service that took its events.")],
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Take nothing more from an outside system, by either way; what it has said stands.

    Example: convoca publisher remove city-cms --service catalogue
    """
    where = target(data)

    async def work() -> bool:
        async with where.transaction(service.value) as tx:
            known = await publishers.remove(tx.session, name)
            user = rights.publisher_user(service.value, name)
            return await access_to(where.kafka()).shut_out(user) or known

    if not asyncio.run(work()):
        fail(f"{service.value} knows no publisher {name}")
    say(f"{service.value} takes nothing more from {name}")
