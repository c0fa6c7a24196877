"""Running a program in a process of its own, to its end or to the step before which it dies."""

import asyncio
import multiprocessing
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.crashing import programs
from tests.chaos.crashing.programs import END, Ground, Program

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([programs.__name__])  # what takes a second to load is loaded once


KILLED = {-signal.SIGKILL, 255}
"""What is known of a child that was killed: the fork server tells 255 where it could not tell the signal."""


@dataclass(frozen=True, slots=True)
class Course:
    """The steps that a process came to, in their order, and how it ended (negative: by that signal)."""

    steps: Sequence[str]
    code: int | None

    @property
    def points(self) -> list[str]:
        """Name each step by which this process may die."""
        return list(dict.fromkeys(self.steps))

    @property
    def ended(self) -> bool:
        """Tell whether it came to its end unhurt."""
        return self.code == 0

    def died_before(self, step: str) -> bool:
        """Tell whether it came to `step`, and was killed there."""
        return self.code in KILLED and self.steps[-1:] == [step]


async def run(program: Program, ground: Ground, fatal: str | None = None) -> Course:
    """Run `program`; with `fatal`, until it comes to that step."""
    hears, tells = _processes.Pipe(duplex=False)
    process = _processes.Process(target=programs.run, args=(program, ground, tells, fatal), daemon=True)
    await asyncio.to_thread(process.start)
    tells.close()
    steps: list[str] = []

    def listen() -> None:
        while True:
            try:
                steps.append(hears.recv())
            except EOFError:
                return

    await asyncio.to_thread(listen)
    await asyncio.to_thread(process.join)
    hears.close()
    return Course(steps, process.exitcode)


async def whole_course(program: Program, ground: Ground) -> Course:
    """Run `program` to its end, to learn its steps."""
    course = await run(program, ground)
    assert (course.code, course.steps[-1:]) == (0, [END]), course
    return course
