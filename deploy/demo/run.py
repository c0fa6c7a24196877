"""The demo: the embedded stack, the story told on it, and where to look afterwards."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from deploy.demo.api import Api
from deploy.demo.show import Show
from deploy.demo.steps import StepFailed
from deploy.demo.story import PUBLISHER, Convoca, Story
from deploy.demo.watch import Watch, watching
from deploy.embedded.stack import Stack, hear_signals, unless
from shared.settings import KafkaSettings


async def run(root: Path, port: int, show: Show, ready: Callable[[str], None], *, once: bool) -> bool:
    """Start the stack, tell the story, and stay until Ctrl-C or, `once`, end; tells whether every effect was found.

    Raises CannotStart.
    """
    stack = Stack(root, port, show.line)
    hear_signals(stack)
    good = True
    try:
        if await unless(stack.stopping, stack.start()):
            ready(stack.addresses.url)
            good = await _told(stack, show, staying=not once)
            if not once:
                await stack.stopping.wait()
    finally:
        await stack.stop()
    return good


async def _told(stack: Stack, show: Show, *, staying: bool) -> bool:
    """Tell the story, unless a stop is asked for meanwhile; that is no failure."""
    outcome: list[bool] = []

    async def tell() -> None:
        outcome.append(await _tell(stack, show, staying=staying))

    await unless(stack.stopping, tell())
    return all(outcome)


async def _tell(stack: Stack, show: Show, *, staying: bool) -> bool:
    kafka = KafkaSettings(kafka_servers=stack.addresses.of("broker"))
    watch = Watch(datetime.now(UTC), show.on_event, show.on_mail)

    async def convoca(*arguments: str) -> str:
        return await _command(*arguments, "--data", str(stack.folder.root))

    async with httpx.AsyncClient(base_url=stack.addresses.url, timeout=30) as client:
        token = (await convoca("token", "create", "--scope", "staff", "--name", "demo", "--days", "1")).strip()
        await _admit(convoca)
        story = Story(Api(client, token), kafka, convoca, watch)
        with show:
            async with watching(watch, client, kafka):
                good = await story.tell(show.on_step)
        show.close()
        if staying and good:
            for line in _where_to_look(stack.addresses.url, story, stack.folder.root):
                show.line(line)
    return good


async def _admit(convoca: Convoca) -> None:
    """Let the outside system write; one that an earlier story let in is let in anew."""
    with contextlib.suppress(StepFailed):
        await convoca("publisher", "remove", PUBLISHER, "--service", "catalogue")
    await convoca("publisher", "add", PUBLISHER, "--service", "catalogue", "--json")


async def _command(*arguments: str) -> str:
    """Run a `convoca` command; raises StepFailed with its last words."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("CONVOCA_")},
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise StepFailed(f"convoca {arguments[0]}: {err.decode(errors='replace').strip() or process.returncode}")
    return out.decode()


def _where_to_look(url: str, story: Story, folder: Path) -> list[str]:
    """Say what to open."""
    return [
        "",
        f"Open  {url}/workshops",
        f"      {url}/workshops/{story.workshop.slug}   the workshop that is full",
        f"      {url}/workshops/{story.meeting.slug}   the meeting that was moved",
        f"      {story.promoted.manage_url}   what {story.promoted.person.name} sees, who came up from the queue",
        f"      {url}/mailbox   every mail",
        f"Run   convoca events tail --data {folder}   and enrol somebody",
        "Stop  with Ctrl-C; the data stays",
    ]
