"""`convoca reader`: the outside systems that read."""

import asyncio
import json
from typing import Annotated

import typer

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, group, refuse, say
from deploy.embedded.folder import SERVICES
from deploy.kafka import rights
from deploy.kafka.access import Login, access_to
from shared.errors import Conflict
from shared.messaging import publishers
from shared.settings import KafkaSettings

app = group("reader", "Outside systems that read.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")]
Topics = Annotated[list[str], typer.Option("--topic", metavar="T", help="A stream that it may read; may be repeated.")]


@app.command()
def add(
    name: Name,
    topic: Topics,
    data: DataFolder = DEFAULT_FOLDER,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Let an outside system read streams, in consumer groups called NAME or NAME.*; its password is printed once.

    Example: convoca reader add city-website --topic catalogue.workshops --topic registration.seats --json
    """
    named = list(dict.fromkeys(topic))
    _refuse_unless_offered(named)
    _require_free(name)
    settings = target(data).kafka()
    login = asyncio.run(_let_in(settings, name, named))
    if as_json:
        answer(json.dumps({"name": name, "topics": named, "groups": name, "kafka": login.model_dump()}))
        return
    say(f"{name} reads {', '.join(named)} at {login.servers}, in groups called {name} or {name}.*")
    if login.username:
        say(f"on Kafka it is the user {login.username}; its password, shown this once:")
        answer(login.password or "")
    else:
        say("this broker asks nobody who they are: it needs no password, and may read everything")


@app.command()
def remove(name: Name, data: DataFolder = DEFAULT_FOLDER) -> None:
    """Let an outside system read no more.

    Example: convoca reader remove city-website
    """
    settings = target(data).kafka()
    if not asyncio.run(access_to(settings).shut_out(rights.reader_user(name))):
        if not settings.kafka_security.startswith("sasl"):
            say(f"this broker asks nobody who they are: nothing was kept of {name}")
            return
        fail(f"there is no reader {name}")
    say(f"{name} reads no more")


async def _let_in(settings: KafkaSettings, name: str, topics: list[str]) -> Login:
    access, user = access_to(settings), rights.reader_user(name)
    if await access.knows(user):
        slug = "reader-exists"
        raise Conflict(slug, f"There is a reader {name} already; remove it first to let it read something else.")
    return await access.let_in(user, rights.of_reader(name, (rights.OFFERED[each] for each in topics)))


def _refuse_unless_offered(topics: list[str]) -> None:
    for topic in topics:
        if topic not in rights.OFFERED:
            refuse(
                f"{topic} is no stream that outside systems may read; these are: {', '.join(sorted(rights.OFFERED))}"
            )


def _require_free(name: str) -> None:
    publishers.require_name(name)
    if name in SERVICES:  # whose own groups are called so
        refuse(f"{name} is a service of ours; call the reader otherwise")
