"""The processes of the embedded stack: started as our children, watched and ended."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from deploy.embedded.folder import LOOPBACK, CannotStart, Mark
from deploy.embedded.orphans import dies_with_us

EVERY = 0.03
"""Seconds between two looks at whether something is ready."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that a program runs as, where it is not our own."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and the signals that stop it before SIGKILL, each with the seconds it is given."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    stops: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 2.0),)
    hurried: tuple[tuple[signal.Signals, float], ...] = ()
    orphaned: signal.Signals = signal.SIGKILL
    account: Account | None = None
    ahead: str = ""
    """What may be loaded before its start: a Python module."""


class Process(Protocol):
    """A process that was made: `returncode` is None while it runs, and negative where a signal ended it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """Its exit code."""
        ...

    async def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        ...


class Loaded(Process, Protocol):
    """A process that has loaded what its program is made of, and no more."""

    def let_go(self) -> None:
        """Let it be its program."""
        ...


Fork = Callable[[Program, Path], Awaitable[Loaded | None]]
"""A quicker way to the process of a program that prints to a log; None where there is no such way."""


class Child:
    """One program as our child; what it prints goes to its log."""

    def __init__(self, program: Program, logs: Path, fork: Fork | None = None) -> None:
        """Take a program that is not started yet; the log of its last run is kept beside the new one."""
        self.program = program
        self._fork = fork
        self.log = logs / f"{program.name}.log"
        with contextlib.suppress(FileNotFoundError):
            self.log.replace(self.log.with_suffix(".log.1"))
        self._process: Process | None = None
        self._loaded: Loaded | None = None

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process number."""
        if self._process is None:
            message = f"{self.name} was never started"
            raise RuntimeError(message)
        return self._process.pid

    def mark(self) -> Mark | None:
        """Say how it is known again later, or None where it has just ended."""
        try:
            return Mark(pid=self.pid, started=psutil.Process(self.pid).create_time())
        except psutil.NoSuchProcess:
            return None

    async def start(self, stdin: int = asyncio.subprocess.DEVNULL) -> None:
        """Run it, in a session of its own, so that a Ctrl-C at the terminal reaches only us."""
        await self.load()
        if (loaded := self._loaded) and loaded.returncode is None:
            loaded.let_go()
            self._process = loaded
        else:
            self._process = await self._spawned(stdin)
        self._loaded = None

    async def load(self) -> None:
        """Have all loaded that may be loaded before its start, where there is a way to."""
        if self._fork and self._loaded is None:
            self._loaded = await self._fork(self.program, self.log)

    async def _spawned(self, stdin: int) -> Process:
        program, account = self.program, self.program.account
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *program.command,
                stdin=stdin,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(program.environment),
                cwd=program.folder,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=dies_with_us(program.orphaned),
            )
        except OSError as error:
            message = f"{self.name} cannot be run: {program.command[0]} ({error.strerror})"
            raise CannotStart(message) from error
        finally:
            os.close(descriptor)

    async def ended(self) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""
        if self._process is None:
            return 0
        return await self._process.wait()

    async def becomes_ready(self, probe: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        """Wait until `probe` says that it serves; raises CannotStart where it ends or takes longer."""
        try:
            async with asyncio.timeout(seconds):
                while not await probe():
                    if await self._ends_within(EVERY):
                        message = f"{self.name} ended while starting: {self.last_words()} ({self.log})"
                        raise CannotStart(message)
        except TimeoutError as error:
            message = f"{self.name} was not ready within {seconds:.0f} s: {self.last_words()} ({self.log})"
            raise CannotStart(message) from error

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it, politely first and surely at last; `hurry` cuts politeness short."""
        if not self.running:
            return
        for number, seconds in self.program.stops:
            if hurry.is_set():
                break
            self._signal(number)
            if await self._ends_within(seconds, hurry):
                return
        for number, seconds in self.program.hurried:
            self._signal(number)
            if await self._ends_within(seconds):
                return
        # PostgreSQL's own processes end with it, save where they hang: whoever hangs does not see it end.
        family = self._descendants()
        self._signal(signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await self.ended()

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.running:
                os.kill(self.pid, number)

    async def _ends_within(self, seconds: float, unless: asyncio.Event | None = None) -> bool:
        waits = {asyncio.ensure_future(self.ended())}
        if unless is not None:
            waits.add(asyncio.ensure_future(_set(unless)))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self.running

    def last_words(self) -> str:
        """Give the last line that it printed, for people who ask why it ended."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


async def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of the loopback."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


async def is_ready(port: int, path: str) -> bool:
    """Tell whether a GET of `path` is answered with 200 within two seconds."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]


async def _set(event: asyncio.Event) -> int:
    await event.wait()
    return 0
