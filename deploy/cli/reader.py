"""`convoca reader`: the outside systems that read."""

import asyncio
from typing import Annotated

import typer

from deploy.cli import outside
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, SystemName, answer, fail, group, say
from shared.messaging.publishers import require_name

app = group("reader", "Outside systems that read.")
Topics = Annotated[list[str], typer.Option("--topic", metavar="T", help="A stream that it may read; may be repeated.")]


@app.command()
def add(
    name: SystemName,
    topic: Topics,
    data: DataFolder = DEFAULT_FOLDER,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Let an outside system read streams, in consumer groups called NAME or NAME.*; its password is printed once.

    Example: convoca reader add city-website --topic catalogue.workshops --topic registration.seats --json
    """
    require_name(name)
    added = asyncio.run(outside.add_reader(target(data), name, topic))
    login = added.kafka
    if as_json:
        answer(added.model_dump_json())
        return
    say(f"{name} reads {', '.join(added.topics)} at {login.servers}, in groups called {name} or {name}.*")
    if login.username:
        say(f"on Kafka it is the user {login.username}; its password, shown this once:")
        answer(login.password or "")
    else:
        say("this broker asks nobody who they are: it needs no password, and may read everything")


@app.command()
def remove(name: SystemName, data: DataFolder = DEFAULT_FOLDER) -> None:
    """Let an outside system read no more.

    Example: convoca reader remove city-website
    """
    where = target(data)
    if not asyncio.run(outside.remove_reader(where, name)):
        if not where.kafka().kafka_security.startswith("sasl"):
            say(f"this broker asks nobody who they are: nothing was kept of {name}")
            return
        fail(f"there is no reader {name}")
    say(f"{name} reads no more")
