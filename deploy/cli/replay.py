"""`convoca events replay`: have a service say again what it has said."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from deploy.cli import INTERRUPTED
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, Service, answer, fail, refuse, say
from shared.events.topics import OWN, dead_letters
from shared.messaging import replay as replays
from shared.messaging.replay import Connection, Scope

LOOK = 0.25
SECONDS_WITHOUT_A_SENDER = 10.0
"""How long nobody may send before we say that the service does not run; one that begins anew takes a few."""
WhichService = Annotated[Service, typer.Option("--service", help="Whose messages.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="T", help="From then on: ISO 8601, in UTC unless it says otherwise. Else all."),
]
OnlyTopic = Annotated[str | None, typer.Option("--topic", metavar="T", help="Only this topic, which must be its own.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them.")]


def replay(
    service: WhichService,
    since: Since = None,
    topic: OnlyTopic = None,
    dry_run: DryRun = False,  # noqa: FBT002 - an option of a command
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Publish again what a service has published, under the same ids and in the same order; wait until it is sent.

    Consumers have taken it before and do nothing. The service itself sends it, so it must run. Dead letters are left
    out, and so is what is older than CONVOCA_REPLAY_DAYS, but for the newest of each key.

    Example: convoca events replay --service catalogue --since 2027-01-11T09:00:00Z --dry-run
    """
    scope = Scope(_own(service, topic), _moment(since))
    where = target(data)
    url, horizon = where.database_url(service.value), where.replay_horizon()

    async def work() -> int:
        async with _connected(url) as database:
            if dry_run:
                return await replays.count(database, scope, datetime.now(UTC) - horizon)
            return await _Watch(database, service.value).over(scope)

    try:
        messages = asyncio.run(work())
    except KeyboardInterrupt:
        say(f"{service.value} goes on without us" if not dry_run else "interrupted")
        raise SystemExit(INTERRUPTED) from None
    say(f"{messages} messages of {service.value} {'would be' if dry_run else 'were'} sent again")
    told = {"service": service.value, "topic": scope.topic, "since": scope.since and scope.since.isoformat()}
    answer(json.dumps(told | {"dry_run": dry_run, "messages": messages}) if as_json else str(messages))


@dataclass
class _Watch:
    """Somebody who asks for a replay and stays until it is over."""

    database: Connection
    service: str
    _seen_sending: float = 0.0

    async def over(self, scope: Scope) -> int:
        """Ask, and wait until all is sent; answers how many messages it was. Ends with 1 where nobody sends."""
        stuck_before = (await replays.unsent(self.database, await replays.last_message(self.database))).stuck
        self._seen_sending = time.monotonic()
        messages = await self._begun(await replays.ask(self.database, scope, datetime.now(UTC)))
        last = await replays.last_message(self.database)
        with _bar() as progress:
            task = progress.add_task(self.service, total=messages)
            stuck = await self._sent(last, messages, progress, task)
        if stuck > stuck_before:
            fail(f"the broker refused some: {stuck - stuck_before} messages of {self.service} cannot be sent")
        return messages

    async def _begun(self, number: int) -> int:
        while (messages := await replays.begun(self.database, number)) is None:
            if await self._nobody_sends() and await replays.withdraw(self.database, number):
                fail(f"nothing was sent again: no process of {self.service} sends; start it, or see why in its log")
            await asyncio.sleep(LOOK)
        return messages

    async def _sent(self, last: int, messages: int, progress: Progress, task: TaskID) -> int:
        while (unsent := await replays.unsent(self.database, last)).waiting:
            progress.update(task, completed=max(0, messages - unsent.waiting))
            if await self._nobody_sends():
                left = f"{unsent.waiting} of {messages} messages still wait"
                fail(f"{left}: no process of {self.service} sends any more; they are sent when one does")
            await asyncio.sleep(LOOK)
        progress.update(task, completed=messages)
        return unsent.stuck

    async def _nobody_sends(self) -> bool:
        if await replays.somebody_sends(self.database):
            self._seen_sending = time.monotonic()
        return time.monotonic() - self._seen_sending > SECONDS_WITHOUT_A_SENDER


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    database = await asyncpg.connect(url, timeout=5)
    try:
        yield database
    finally:
        await database.close()


def _own(service: Service, topic: str | None) -> str | None:
    own = sorted(each.name for each in OWN[service.value] if each != dead_letters(service.value))
    if topic is not None and topic not in own:
        refuse(f"{topic} is no stream that {service.value} can send again; these are: {', '.join(own)}")
    return topic


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        said = datetime.fromisoformat(since)
        moment = said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        refuse(f"--since {since!r} is no moment; say it as 2027-01-11 or 2027-01-11T09:00:00+01:00")
    if moment > datetime.now(UTC):
        refuse(f"--since {since} is still to come; nothing was said since then")
    return moment
