"""What the tests of the deployment start: real processes, waited for by condition."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.cli import main

PATIENCE = 30.0
PROJECT = Path(__file__).parents[2]
CONVOCA = str(Path(sys.executable).with_name("convoca"))


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fails where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.02)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def status(url: str) -> int:
    """Give the status with which a GET is answered; 0 where nobody answers."""
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.HTTPError:
        return 0


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and is only not yet waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def those_in(folder: Path) -> list[str]:
    """Name the processes that work in or on a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([process.cwd(), *process.cmdline()]):
                found.append(f"{process.pid} {process.name()}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


class Up:
    """`convoca up` on a folder."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [CONVOCA, "up", "--data", str(folder), "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=surroundings(**settings),
        )

    def ready(self) -> str:
        """Wait for the line that says where it is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return line.strip()

    def shown(self) -> dict[str, Any]:
        """Read stack.json."""
        found: dict[str, Any] = json.loads((self.folder / "stack.json").read_bytes())
        return found

    def family(self) -> list[int]:
        """Give the numbers of all its processes, PostgreSQL's own too."""
        mother = psutil.Process(self.process.pid)
        return [mother.pid, *(child.pid for child in mother.children(recursive=True))]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Stop it; gives exit code, and what else it wrote to stdout and stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.end()

    def end(self, seconds: float = 20) -> tuple[int, str, str]:
        """Wait for its end; gives exit code, and what else it wrote to stdout and stderr.

        Left out is what it says, under root, of a private folder above its own, as pytest's are.
        """
        out, err = self.process.communicate(timeout=seconds)
        lines = [line for line in err.splitlines(keepends=True) if "opened for passage" not in line]
        return self.process.returncode, out, "".join(lines)


class Catcher:
    """A mail catcher on a folder; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.smtp, self.http = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.mailcatcher", "--folder", str(self.folder)),
                *("--smtp", f"127.0.0.1:{self.smtp}", "--http", f"127.0.0.1:{self.http}"),
            ]
        )
        until(lambda: status(f"{self.url}/mailbox") == httpx.codes.OK)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.http}"

    def mails(self, after: int = 0) -> list[dict[str, object]]:
        """Give the mails after a number."""
        mails: list[dict[str, object]] = httpx.get(f"{self.url}/mailbox.json?after={after}").raise_for_status().json()
        return mails

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()


def surroundings(**settings: str) -> dict[str, str]:
    """Give an environment that names no deployment but by `settings`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONVOCA_")} | settings


def convoca(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command on the stack in a folder."""
    return subprocess.run(
        [CONVOCA, *arguments, "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=surroundings(),
    )


def convoca_here(monkeypatch: pytest.MonkeyPatch, *arguments: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Run a command in this process, which saves it a second of loading; gives exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    where = ("--data", str(folder)) if folder else ()
    monkeypatch.setattr(sys, "argv", [CONVOCA, *arguments, *where])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        else:
            code = 0
    return code, out.getvalue(), err.getvalue()
