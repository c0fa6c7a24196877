"""What the stack knows of its forkserver: orders to it, and the processes that come of them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.embedded.folder import Folder
from deploy.embedded.processes import Child, Program

LOADED = "shared.runtime"
"""What most of a start is spent on. It begins no thread, which a fork would lose, and has nothing of one service."""
SECONDS_TO_BE_TOLD = 1.0
"""How long after a process's end its exit code may come; where it does not, the forkserver is gone or hangs."""


class Forked:
    """A process that the forkserver has made, as asyncio shows one that it has made itself."""

    def __init__(self, pid: int, order: Callable[[Mapping[str, Any]], None]) -> None:
        self.pid = pid
        self._order = order
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with contextlib.suppress(ProcessLookupError):  # ended already, of which we are told
            descriptor = os.pidfd_open(pid)
            asyncio.get_running_loop().add_reader(descriptor, self._is_gone, descriptor)

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._code.result() if self._code.done() else None

    async def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        return await asyncio.shield(self._code)

    def let_go(self) -> None:
        """Let it be its program: until then it has only loaded it."""
        self._order({"go": self.pid})

    def ends(self, code: int) -> None:
        """Note with which code it has ended."""
        if not self._code.done():
            self._code.set_result(code)

    def _is_gone(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(descriptor)
        os.close(descriptor)
        loop.call_later(SECONDS_TO_BE_TOLD, self.ends, -signal.SIGKILL)


class Forkserver:
    """The stack's forkserver, which is a child like others; it hastens starts, and nothing stands on it."""

    def __init__(self, environment: Mapping[str, str], folder: Folder, *, loaded: str = LOADED) -> None:
        command = (sys.executable, "-m", "deploy.embedded.forkserver", loaded)
        self.child = Child(Program("forkserver", command, environment, folder.root), folder.logs)
        self._orders: asyncio.StreamWriter | None = None
        self._awaited: deque[asyncio.Future[Forked | None]] = deque()
        self._running: dict[int, Forked] = {}
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run it, where there is such a thing; it takes orders at once, and fulfils them when it has loaded."""
        if sys.platform != "linux":
            return
        ours, its = socket.socketpair()
        with its:
            await self.child.start(stdin=its.fileno())
        answers, self._orders = await asyncio.open_connection(sock=ours)
        self._hearing = asyncio.create_task(self._hear(answers))

    async def fork(self, program: Program, log: Path) -> Forked | None:
        """Make a process of a program that is a Python module (`python -m …`); None where no forkserver runs.

        It loads what the program says, and waits to be let go.
        """
        if self._hearing is None or self._hearing.done():
            return None
        _, _, module, *arguments = program.command
        wanted = {
            "module": module,
            "arguments": arguments,
            "ahead": program.ahead,
            "environment": dict(program.environment),
            "folder": str(program.folder or ""),
            "log": str(log),
            "orphaned": int(program.orphaned),
        }
        awaited: asyncio.Future[Forked | None] = asyncio.get_running_loop().create_future()
        self._awaited.append(awaited)
        self._order({"fork": wanted})
        return await awaited

    def _order(self, order: Mapping[str, Any]) -> None:
        if self._orders is not None:
            self._orders.write(json.dumps(order).encode() + b"\n")

    async def _hear(self, answers: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):  # it is gone, with orders unread
            async for line in answers:
                self._hear_of(json.loads(line))
        for awaited in self._awaited:
            if not awaited.done():
                awaited.set_result(None)
        if self._orders is not None:
            self._orders.close()

    def _hear_of(self, told: Mapping[str, int]) -> None:
        if (pid := told.get("forked")) is not None:
            forked = self._running[pid] = Forked(pid, self._order)
            awaited = self._awaited.popleft()
            if not awaited.done():  # else the stack is being stopped, and the forkserver with it
                awaited.set_result(forked)
        elif (ended := self._running.pop(told["ended"], None)) is not None:
            ended.ends(told["code"])
