"""Processes that come of the forkserver are as those that were started by themselves; and nothing stands on it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.embedded.folder import Folder
from deploy.embedded.forking import Forkserver
from deploy.embedded.processes import Child, Fork, Program
from tests.deploy.running import Up, alive, status, until
from tests.waiting import PATIENCE

HERE = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.logs.mkdir()
    return found


@pytest.fixture
async def forkserver(folder: Folder) -> AsyncIterator[Forkserver]:
    running = Forkserver({"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE)}, folder, loaded="json")
    await running.start()
    yield running
    await running.child.stop(asyncio.Event())


def program(folder: Folder, *arguments: str, ahead: str = "") -> Program:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "ONLY": "this", "PYTHONPATH": str(HERE)}
    command = (sys.executable, "-m", "tests.deploy.found", *arguments)
    return Program("found", command, environment, folder.root, ahead=ahead)


async def found(folder: Folder, fork: Fork | None) -> tuple[int, dict[str, Any]]:
    child = Child(program(folder, "7", "seven"), folder.logs, fork)
    await child.start()
    return await end_of(child), json.loads(child.log.read_bytes())


async def end_of(child: Child) -> int:
    """Wait for its exit code, but not for ever."""
    async with asyncio.timeout(PATIENCE):
        return await child.ended()


async def test_a_fork_finds_itself_as_one_does_that_was_started_by_itself(
    folder: Folder, forkserver: Forkserver
) -> None:
    by_itself = await found(folder, None)
    forked = await found(folder, forkserver.fork)
    assert forked == by_itself
    assert by_itself[0] == 7


async def test_several_at_once_know_nothing_of_each_other(folder: Folder, forkserver: Forkserver) -> None:
    alone = await found(folder, forkserver.fork)
    others = [Child(program(folder, "stay"), folder.logs, forkserver.fork) for _ in range(3)]
    for other in others:
        await other.load()
    assert await found(folder, forkserver.fork) == alone
    for other in others:
        await other.start()
        await other.stop(asyncio.Event())
        assert not other.running


async def test_until_it_is_let_go_it_only_loads(folder: Folder, forkserver: Forkserver) -> None:
    child = Child(program(folder, "0", ahead="no.such.module"), folder.logs, forkserver.fork)
    await child.load()
    until(lambda: "ModuleNotFoundError" in child.last_words())
    child = Child(program(folder, "0", ahead="tests.deploy.found"), folder.logs, forkserver.fork)
    await child.load()
    assert child.last_words() == ""
    await child.start()
    assert await end_of(child) == 0
    assert json.loads(child.last_words())["arguments"] == ["0"]


async def test_a_fork_that_is_killed_is_told_of_by_its_signal(folder: Folder, forkserver: Forkserver) -> None:
    child = Child(program(folder, "stay"), folder.logs, forkserver.fork)
    await child.start()
    os.kill(child.pid, signal.SIGTERM)
    assert await end_of(child) == -signal.SIGTERM


async def test_whoever_comes_of_a_forkserver_that_dies_ends_and_starts_again_without_it(
    folder: Folder, forkserver: Forkserver
) -> None:
    child = Child(program(folder, "stay"), folder.logs, forkserver.fork)
    await child.start()
    before = child.pid
    os.kill(forkserver.child.pid, signal.SIGKILL)
    assert await end_of(child) == -signal.SIGKILL
    assert not alive(before)
    await child.start()
    assert child.running
    assert psutil.Process(child.pid).ppid() == os.getpid()
    await child.stop(asyncio.Event())


async def test_the_end_of_a_fork_is_seen_where_the_forkserver_hangs(folder: Folder, forkserver: Forkserver) -> None:
    child = Child(program(folder, "stay"), folder.logs, forkserver.fork)
    await child.start()
    os.kill(forkserver.child.pid, signal.SIGSTOP)
    try:
        os.kill(child.pid, signal.SIGKILL)
        assert await end_of(child) == -signal.SIGKILL
    finally:
        os.kill(forkserver.child.pid, signal.SIGCONT)


def test_what_the_stacks_forkserver_has_loaded_began_no_thread(stack: Up) -> None:
    forkserver = psutil.Process(stack.shown()["processes"]["registration"]).parent()
    assert forkserver is not None
    assert "forkserver" in " ".join(forkserver.cmdline())
    assert forkserver.num_threads() == 1


def test_where_the_stacks_forkserver_dies_the_services_come_back(stack: Up) -> None:
    services = {name: stack.shown()["processes"][name] for name in ("catalogue", "registration", "notifications")}
    forkserver = psutil.Process(services["registration"]).parent()
    assert forkserver is not None
    forkserver.kill()
    until(lambda: all(stack.shown()["processes"][name] != pid for name, pid in services.items()))
    url = stack.shown()["url"]
    until(lambda: {status(f"{url}/api/{name}/health/ready") for name in services} == {200})
    assert [name for name, pid in services.items() if alive(pid)] == []
