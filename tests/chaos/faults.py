"""What goes wrong: each kind of fault, how long it lasts, and that it is over when it is over."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import asyncpg
from aiokafka.errors import KafkaError

from shared.events.topics import SERVICES
from tests.chaos.ground import Part
from tests.chaos.world import World
from tests.system.streams import connected

LONGEST_FREEZE = 4.0
LONGEST_ABSENCE = 2.0
LARGEST_STEP = 20.0
SECONDS_TO_SEND_AGAIN = 10.0
RECORDS_AGAIN = 40
Fault = Callable[[Random], Awaitable[None]]


class Faults:
    """The faults of one storm, drawn by `luck`: each kind once before any comes again; `only` those, if any."""

    def __init__(self, world: World, luck: Random, only: Collection[str] = ()) -> None:
        self._world = world
        self._luck = luck
        self._deck: list[str] = []
        self._busy = {"PostgreSQL": asyncio.Lock(), "the broker": asyncio.Lock()}
        self.done: Counter[str] = Counter()
        self.kinds: dict[str, Fault] = {
            **{f"kill {service}": partial(self._kill, service) for service in SERVICES},
            "stop a service": self._stop_service,
            "freeze a service": self._freeze_service,
            "freeze the broker": partial(self._freeze, "the broker", world.ground.broker),
            "freeze PostgreSQL": partial(self._freeze, "PostgreSQL", world.ground.postgres),
            "stop PostgreSQL": partial(self._end, "PostgreSQL", world.ground.postgres, politely=True),
            "kill PostgreSQL": partial(self._end, "PostgreSQL", world.ground.postgres, politely=False),
            "end sessions": self._end_sessions,
            "cut wire": self._cut_wire,
            "dead wire": self._dead_wire,
            "step a clock": self._step_clock,
            "records again": self._records_again,
        }
        if not world.ground.broker.forgets:
            self.kinds["kill the broker"] = partial(self._end, "the broker", world.ground.broker, politely=False)
        if only:
            self.kinds = {kind: fault for kind, fault in self.kinds.items() if kind in only}

    async def strike(self) -> None:
        """Let the next fault happen, to its end; one for a part that is down or frozen already is passed over."""
        if not self._deck:
            self._deck = list(self.kinds)
            self._luck.shuffle(self._deck)
        kind, luck = self._deck.pop(), Random(self._luck.random())  # noqa: S311 - to be repeated, not to be secret
        with contextlib.suppress(_PassedOver):
            await self.kinds[kind](luck)
            self.done[kind] += 1

    def heal(self) -> None:
        """Set right what faults leave behind: the clocks."""
        for each in self._world.replicas.values():
            each.step_clock(0)

    @asynccontextmanager
    async def _alone_with(self, part: str) -> AsyncIterator[None]:
        if self._busy[part].locked():
            raise _PassedOver
        async with self._busy[part]:
            yield

    async def _kill(self, service: str, luck: Random) -> None:
        luck.choice(self._world.of(service)).signal(signal.SIGKILL)

    async def _stop_service(self, luck: Random) -> None:
        luck.choice(list(self._world.replicas.values())).signal(signal.SIGTERM)

    async def _freeze_service(self, luck: Random) -> None:
        replica = luck.choice(list(self._world.replicas.values()))
        replica.signal(signal.SIGSTOP)
        try:
            await _a_while(luck, LONGEST_FREEZE)
        finally:
            replica.signal(signal.SIGCONT)

    async def _freeze(self, name: str, part: Part, luck: Random) -> None:
        async with self._alone_with(name):
            await part.freeze()
            try:
                await _a_while(luck, LONGEST_FREEZE)
            finally:
                await part.thaw()

    async def _end(self, name: str, part: Part, luck: Random, *, politely: bool) -> None:
        async with self._alone_with(name):
            await part.end(politely=politely)
            try:
                await _a_while(luck, LONGEST_ABSENCE)
            finally:
                await part.begin()

    async def _end_sessions(self, _: Random) -> None:
        """Have PostgreSQL throw all services out."""
        async with self._alone_with("PostgreSQL"):
            connection = await asyncpg.connect(self._world.databases["registration"])
            try:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY($1)", list(SERVICES)
                )
            finally:
                await connection.close()

    async def _cut_wire(self, luck: Random) -> None:
        wire = luck.choice(list(self._world.wires.values()))
        await wire.cut()
        await wire.mend()

    async def _dead_wire(self, luck: Random) -> None:
        wire = luck.choice(list(self._world.wires.values()))
        await wire.hold()
        try:
            await _a_while(luck, LONGEST_FREEZE)
        finally:
            await wire.mend()

    async def _step_clock(self, luck: Random) -> None:
        luck.choice(list(self._world.replicas.values())).step_clock(luck.uniform(-LARGEST_STEP, LARGEST_STEP))

    async def _records_again(self, luck: Random) -> None:
        """Deliver the newest records of a stream once more, as they are; another fault may get in the way."""
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(SECONDS_TO_SEND_AGAIN), connected(self._world.kafka) as bus:
                topic = luck.choice(await bus.topics())
                for each in (await bus.records(topic))[-RECORDS_AGAIN:]:
                    await bus.producer.send_and_wait(
                        topic, each.value, each.key, headers=list(each.headers), partition=each.partition
                    )


class _PassedOver(Exception):  # noqa: N818 - no error
    """There is nothing there that this could happen to."""


async def _a_while(luck: Random, longest: float) -> None:
    await asyncio.sleep(luck.uniform(longest / 4, longest))
