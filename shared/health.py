"""Whether a process can do its work: each part it stands on is asked again and again, and none can hang another."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from pydantic import BaseModel

from shared.observability import where

log = structlog.get_logger()
SECONDS_TO_ANSWER = 2.0
SECONDS_BETWEEN_CHECKS = 2.0
SECONDS_BETWEEN_CHECKS_OF_WHAT_IS_DOWN = 0.1
SECONDS_THAT_AN_ANSWER_HOLDS = 8.0
"""An answer that is older says nothing: who should have asked again did not come to it."""

Probe = Callable[[], Awaitable[bool]]


class Health(BaseModel):
    """Whether a process can do its work, and what keeps it from doing so."""

    status: str
    down: tuple[str, ...] = ()


class Pulse:
    """What is known of the parts that a process stands on, by their names; `run` goes on until it is cancelled."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = probes
        self._answered: dict[str, float] = {}
        self._hanging: set[asyncio.Future[bool]] = set()

    @property
    def down(self) -> tuple[str, ...]:
        """Name the parts that do not answer; known at once, for nobody is asked."""
        oldest = time.monotonic() - SECONDS_THAT_AN_ANSWER_HOLDS
        return tuple(name for name in self._probes if self._answered.get(name, oldest) <= oldest)

    async def run(self) -> None:
        """Ask each part on its own."""
        await asyncio.gather(*(self._watch(name, probe) for name, probe in self._probes.items()))

    def stop(self) -> None:
        """Say that nothing answers any more."""
        self._answered.clear()

    async def _watch(self, name: str, probe: Probe) -> None:
        while True:
            if await self._answers(name, probe):
                self._answered[name] = time.monotonic()
                await asyncio.sleep(SECONDS_BETWEEN_CHECKS)
            else:
                self._answered.pop(name, None)
                await asyncio.sleep(SECONDS_BETWEEN_CHECKS_OF_WHAT_IS_DOWN)

    async def _answers(self, name: str, probe: Probe) -> bool:
        asked = asyncio.ensure_future(probe())
        # It may hang in its cancellation too, so that is not waited for.
        self._hanging.add(asked)
        asked.add_done_callback(self._hanging.discard)
        done, _ = await asyncio.wait({asked}, timeout=SECONDS_TO_ANSWER)
        if not done:
            asked.cancel()
            return False
        if error := asked.exception():
            log.warning("does-not-answer", part=name, error=type(error).__name__, at=where(error))
            return False
        return asked.result()
