"""`convoca outbox`: what the broker refused to take, and what becomes of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.cli.pieces import PIECE, After, Every, Limit, more, read
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, Number, Service, answer, group, say
from shared.messaging import refused
from shared.messaging.refused import Refused

app = group("outbox", "What the broker refused to take: look at it, have it sent again, put it away.")
WhichService = Annotated[Service, typer.Option("--service", help="Whose messages.")]


@app.command("list")
def show_list(
    service: WhichService,
    cursor: After = 0,
    limit: Limit = PIECE,
    every: Every = False,  # noqa: FBT002 - an option of a command
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """List the messages that the broker refused for good, the oldest first; in JSON `next` is the next page's cursor.

    Example: convoca outbox list --service catalogue --json
    """
    where = target(data)

    async def page(after: int, most: int) -> list[Refused]:
        async with where.transaction(service.value) as tx:
            return await refused.listed(tx.session, after=after, limit=most)

    found, following = asyncio.run(read(page, cursor, limit, every=every))
    if as_json:
        answer(json.dumps({"items": [_about(service, each) for each in found], "next": following}, ensure_ascii=False))
        return
    for each in found:
        answer(
            f"{each.id:<8} {each.at.isoformat(timespec='seconds')} {each.topic:28} {each.type:28}"
            f" {each.behind} behind it: {each.reason}"
        )
    say(f"{len(found)} refused messages of {service.value}{more(following)}")


@app.command()
def retry(
    number: Number,
    service: WhichService,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Have a refused message sent again, as when its cause is mended; what waits behind it follows.

    The running service sends it within a second. If it is refused again, it stands here again.

    Example: convoca outbox retry 7 --service catalogue
    """
    _settle(number, service, data, refused.retry, "waits to be sent again", as_json=as_json)


@app.command()
def discard(
    number: Number,
    service: WhichService,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Delete a refused message for good: nobody will hear of what it tells, and what waits behind it is sent.

    Example: convoca outbox discard 7 --service catalogue
    """
    _settle(number, service, data, refused.discard, "is deleted", as_json=as_json)


def _settle(
    number: int,
    service: Service,
    data: DataFolder,
    do: Callable[[AsyncSession, int], Awaitable[Refused]],
    fate: str,
    *,
    as_json: bool,
) -> None:
    where = target(data)

    async def work() -> Refused:
        async with where.transaction(service.value) as tx:
            return await do(tx.session, number)

    found = asyncio.run(work())
    if as_json:
        answer(json.dumps(_about(service, found), ensure_ascii=False))
    say(f"the message {found.id} for {found.topic} {fate}; {found.behind} of its key waited behind it")


def _about(service: Service, each: Refused) -> dict[str, object]:
    return {
        "id": each.id,
        "service": service.value,
        "topic": each.topic,
        "type": each.type,
        "event_id": each.event_id,
        "reason": each.reason,
        "behind": each.behind,
        "at": each.at.isoformat(timespec="seconds"),
    }
