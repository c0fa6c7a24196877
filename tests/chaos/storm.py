"""One storm: a steady load, faults by chance, then calm; and what is to be said of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import checks, rest
from tests.chaos.checks import Findings
from tests.chaos.faults import Faults
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.seen import look_around
from tests.chaos.world import World

LONGEST_LULL = 1.2
SECONDS_OF_CALM_BEFORE = 0.5


@dataclass
class Account:
    """What came of a storm."""

    seed: int
    faults: Counter[str]
    findings: Findings
    seconds_to_drain: float
    tried_again: int
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether every promise was kept."""
        return not self.wrong


async def rage(world: World, seed: int, seconds: float, only: Sequence[str] = ()) -> Account:
    """Let a storm rage for so long, heal everything, wait until all is at rest, and look.

    Where kinds of fault are named, there are no others.
    """
    luck, ledger = random.Random(seed), Ledger()  # noqa: S311 - to be repeated, not to be secret
    load = Load(world, ledger, random.Random(luck.random()))  # noqa: S311
    faults = Faults(world, random.Random(luck.random()), only)  # noqa: S311
    try:
        await load.offer()
        answered = asyncio.create_task(load.run())
        await _strike(faults, luck, seconds, answered)
        faults.heal()
        load.over.set()
        try:
            drained = await rest.comes(world, ledger, answered)
        except rest.NotDrained as stuck:
            return Account(seed, faults.done, Findings(), rest.MOST_SECONDS, ledger.tried_again, [str(stuck)])
        findings = checks.hold(ledger, await look_around(world))
        return Account(seed, faults.done, findings, drained, ledger.tried_again, findings.wrong)
    finally:
        answered.cancel()
        await asyncio.gather(answered, return_exceptions=True)
        await load.close()


async def _strike(faults: Faults, luck: random.Random, seconds: float, load: "asyncio.Task[None]") -> None:
    """Let fault follow upon fault, the next often before the last is over; ends when all are over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await asyncio.sleep(SECONDS_OF_CALM_BEFORE)
    async with asyncio.TaskGroup() as under_way:
        while loop.time() < end and not load.done():
            under_way.create_task(faults.strike())
            await asyncio.sleep(luck.uniform(0.1, LONGEST_LULL))
