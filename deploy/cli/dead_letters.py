"""`convoca dead-letters`: what a service could not take, and what becomes of it."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.cli.pieces import PIECE, After, Every, Limit, more, read
from deploy.cli.target import Target, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, Number, Service, answer, group, say
from shared.messaging import dead_letter_desk as desk
from shared.messaging.dead_letter_desk import STATES, Kept, State

app = group("dead-letters", "What a service could not take: look at it, have it tried again, put it away.")
Item = dict[str, object]
Settle = Callable[[AsyncSession, int, datetime], Awaitable[object]]


class Wanted(StrEnum):
    """Which letters one asks for."""

    OPEN = "open"
    RETRIED = "retried"
    DISCARDED = "discarded"
    ANY = "any"

    @property
    def states(self) -> tuple[State, ...]:
        """Give the states that a letter may be in."""
        return STATES if self is Wanted.ANY else tuple(state for state in STATES if state == self.value)


WhichService = Annotated[Service, typer.Option("--service", help="The service that could not take them.")]
InState = Annotated[Wanted, typer.Option("--state", help="Those that wait for a decision, or those that had one.")]


@app.command("list")
def show_list(
    service: WhichService,
    state: InState = Wanted.OPEN,
    cursor: After = 0,
    limit: Limit = PIECE,
    every: Every = False,  # noqa: FBT002 - an option of a command
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """List dead letters with their causes, the oldest first; in JSON `next` is the cursor of the next page.

    Example: convoca dead-letters list --service catalogue --json
    """
    where = target(data)

    async def page(after: int, most: int) -> list[Kept]:
        async with where.transaction(service.value) as tx:
            return await desk.listed(tx.session, state.states, after=after, limit=most)

    found, following = asyncio.run(read(page, cursor, limit, every=every))
    if as_json:
        answer(json.dumps({"items": [_about(service, each) for each in found], "next": following}, ensure_ascii=False))
        return
    for each in found:
        answer(_line(each))
    say(f"{len(found)} dead letters of {service.value}{more(following)}")


@app.command()
def show(
    number: Number,
    service: WhichService,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Show a dead letter whole: its cause, and the record as it came; in JSON what is not UTF-8 is in base64.

    Example: convoca dead-letters show 7 --service catalogue --json
    """
    where = target(data)

    async def work() -> Kept:
        async with where.transaction(service.value) as tx:
            return await desk.find(tx.session, number)

    kept = asyncio.run(work())
    if as_json:
        answer(json.dumps(_about(service, kept) | _record(kept), ensure_ascii=False))
        return
    for name, value in _about(service, kept).items():
        answer(f"{name:12} {'-' if value is None else _readable(str(value))}")
    record = kept.letter.record
    answer(f"{'key':12} {_shown(record.key)}")
    for header, content in record.headers:
        answer(f"{'header':12} {_readable(header)}: {_shown(content)}")
    answer(f"{'value':12} {_shown(record.value)}")


@app.command()
def retry(
    number: Number,
    service: WhichService,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Have the consumer that failed try a dead letter again, once, under the id that it has; nobody else hears of it.

    The running service takes it within a second. If it fails again, that is a new dead letter.

    Example: convoca dead-letters retry 7 --service catalogue
    """
    _tell(service, _settled(target(data), service, number, desk.retry), as_json=as_json)


@app.command()
def discard(
    number: Number,
    service: WhichService,
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Put a dead letter away for good: it is not tried again, and some days later it is deleted.

    Example: convoca dead-letters discard 7 --service catalogue
    """
    _tell(service, _settled(target(data), service, number, desk.discard), as_json=as_json)


def _settled(where: Target, service: Service, number: int, settle: Settle) -> Kept:
    """Settle a dead letter, and give it as it stands then."""

    async def work() -> Kept:
        async with where.transaction(service.value) as tx:
            await settle(tx.session, number, tx.now)
            return await desk.find(tx.session, number)

    return asyncio.run(work())


def _tell(service: Service, kept: Kept, *, as_json: bool) -> None:
    if as_json:
        answer(json.dumps(_about(service, kept), ensure_ascii=False))
    fate = f"waits to be tried again by {kept.consumer}" if kept.state == "retried" else "was put away"
    say(f"the dead letter {kept.id} {fate}")


def _about(service: Service, kept: Kept) -> Item:
    letter, record = kept.letter, kept.letter.record
    return {
        "id": kept.id,
        "service": service.value,
        "state": kept.state,
        "reason": letter.fault.reason,
        "detail": letter.fault.detail,
        "consumer": kept.consumer,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "source": letter.identity.source,
        "event_id": letter.identity.id,
        "attempts": letter.attempts,
        "at": _moment(kept.at),
        "settled_at": kept.settled_at and _moment(kept.settled_at),
    }


def _record(kept: Kept) -> Item:
    record = kept.letter.record
    return {
        "key": _exact(record.key),
        "value": _exact(record.value),
        "headers": [{"name": name, "value": _exact(value)} for name, value in record.headers],
    }


def _line(kept: Kept) -> str:
    fault, record = kept.letter.fault, kept.letter.record
    place = f"{record.topic}/{record.partition}@{record.offset}"
    return f"{kept.id:<8} {_moment(kept.at)} {kept.state:9} {fault.reason:17} {place:44} {_readable(fault.detail)}"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _exact(content: bytes | None) -> str | dict[str, str] | None:
    """Give bytes so that a machine has each of them: as text, or in base64 where they are none."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _shown(content: bytes | None) -> str:
    return "-" if content is None else _readable(content.decode("utf-8", "backslashreplace"))


def _readable(text: str) -> str:
    """Show what others have written on one line, and so that it cannot steer the terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
