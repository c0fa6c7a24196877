"""What a stack that was killed left running: found by what it kept on disk, and ended before a new start."""

import contextlib
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from deploy.embedded.folder import Mark

SAME_START = 2.0
"""Seconds by which two readings of one process's start may differ when the clock is set."""


def end_leftovers(marks: Mapping[str, Mark], postgres: Path) -> None:
    """End what a killed stack left running: at once, save PostgreSQL, which may first close its files.

    PostgreSQL is also looked for by its folder, in which its processes stand: two on one folder lose data.
    """
    left = [process for mark in marks.values() if (process := _marked(mark)) is not None]
    if (postgres / "postmaster.pid").exists():
        left += [process for process in psutil.process_iter() if _stands_in(process, postgres)]
    databases = [process for process in left if _stands_in(process, postgres)]
    _end([process for process in left if process not in databases], ((signal.SIGKILL, 5.0),))
    _end(databases, ((signal.SIGINT, 8.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)))
    # Nobody runs on that folder now; left there, the file stops the next one if its number is taken again.
    (postgres / "postmaster.pid").unlink(missing_ok=True)


def _end(processes: Iterable[psutil.Process], ways: Iterable[tuple[signal.Signals, float]]) -> None:
    alive = list(processes)
    for number, seconds in ways:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=seconds)
        if not alive:
            return


def _marked(mark: Mark) -> psutil.Process | None:
    try:
        process = psutil.Process(mark.pid)
        same = abs(process.create_time() - mark.started) < SAME_START
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _stands_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == folder
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
