"""A loop that reads what metrics cannot count by themselves, so that a scrape asks nobody and never waits."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from shared.observability.logs import where
from shared.observability.metrics import LOOP_LAG, UNREAD

log = structlog.get_logger()
SECONDS_BETWEEN_READINGS = 5.0
SECONDS_TO_READ = 3.0
SECONDS_BETWEEN_BEATS = 0.5
UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class Reading:
    """Where gauges are read from. Where that cannot be done `gauges` say NaN, and those with labels say nothing."""

    source: str
    read: Callable[[], Awaitable[None]]
    gauges: Sequence[Gauge] = ()
    by_label: Sequence[Gauge] = ()


class Watch:
    """Reads each source again and again, none of which can hang another; `run` goes on until it is cancelled."""

    def __init__(self, *readings: Reading, every: float = SECONDS_BETWEEN_READINGS) -> None:
        self.readings = list(readings)
        self._every = every

    async def run(self) -> None:
        """Read the sources, and measure how late the event loop is."""
        await asyncio.gather(_beat(), *(self._follow(each) for each in self.readings))

    async def _follow(self, reading: Reading) -> None:
        known = True
        while True:
            try:
                async with asyncio.timeout(SECONDS_TO_READ):
                    await reading.read()
                known = True
            except Exception as error:  # noqa: BLE001 - whatever it was, the others go on and this is tried again
                UNREAD.labels(reading.source).inc()
                _forget(reading)
                if known:
                    log.warning("gauges-unread", source=reading.source, error=type(error).__name__, at=where(error))
                known = False
            await asyncio.sleep(self._every)


async def _beat() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SECONDS_BETWEEN_BEATS
        await asyncio.sleep(SECONDS_BETWEEN_BEATS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def _forget(reading: Reading) -> None:
    for gauge in reading.gauges:
        gauge.set(UNKNOWN)
    for gauge in reading.by_label:
        gauge.clear()
