"""What the services stand on, as something that can be frozen, stopped and killed: from wheels, or in containers."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import psutil

from deploy.embedded import postgres, programs
from deploy.embedded.folder import LOOPBACK, Folder
from deploy.embedded.postgres import Cluster
from deploy.embedded.processes import Child, Program
from shared.messaging import kafka as bus
from shared.settings import KafkaSettings
from tests import brokers
from tests.deploy.running import free_port

SECONDS_TO_COME_BACK = 300.0
"""Apache Kafka needs few; the bound is for a machine on which much else runs."""
TRIES_TO_PAUSE = 20
START_KAFKA = """
test -e /tmp/begun && exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
touch /tmp/begun
exec /etc/kafka/docker/run
"""
"""Once it was killed it starts on what it has: setting it up again takes long, and not every image bears it."""
START_QUICKLY = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
Probe = Callable[[], Awaitable[bool]]


class Part(Protocol):
    """PostgreSQL or the broker."""

    forgets: bool
    """Whether what it holds is gone when it ends."""

    async def freeze(self) -> None:
        """Have it do nothing, with every connection open."""

    async def thaw(self) -> None:
        """Have it go on where it was."""

    async def end(self, *, politely: bool) -> None:
        """Stop it as its operator does, or kill it."""

    async def begin(self) -> None:
        """Start it again, and wait until it serves."""


@dataclass
class Processes:
    """A part that is a process of ours with its children."""

    child: Child
    answers: Probe
    polite: signal.Signals
    forgets: bool = False

    async def freeze(self) -> None:
        self._all(signal.SIGSTOP)

    async def thaw(self) -> None:
        self._all(signal.SIGCONT)

    async def end(self, *, politely: bool) -> None:
        family = self._family()
        if politely:
            family[0].send_signal(self.polite)
        else:
            self._all(signal.SIGKILL)
        await self.child.ended()
        await asyncio.to_thread(psutil.wait_procs, family, 10)

    async def begin(self) -> None:
        await self.child.start()
        await self.child.becomes_ready(self.answers)

    def _family(self) -> list[psutil.Process]:
        mother = psutil.Process(self.child.pid)
        return [mother, *mother.children(recursive=True)]

    def _all(self, number: signal.Signals) -> None:
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@dataclass
class Container:
    """A part in a container of its own; `container` is the engine's."""

    container: Any
    answers: Probe
    forgets: bool = False

    async def freeze(self) -> None:
        await asyncio.to_thread(self._pause)

    async def thaw(self) -> None:
        await asyncio.to_thread(self.container.unpause)

    async def end(self, *, politely: bool) -> None:
        if politely:
            await asyncio.to_thread(partial(self.container.stop, timeout=20))
        else:
            await asyncio.to_thread(self.container.kill)
            await asyncio.to_thread(self.container.wait)

    async def begin(self) -> None:
        await asyncio.to_thread(self.container.start)
        async with asyncio.timeout(SECONDS_TO_COME_BACK):
            while not await self.answers():  # noqa: ASYNC110 - it comes about in a container
                await asyncio.sleep(0.1)

    def _pause(self) -> None:
        from docker.errors import APIError  # noqa: PLC0415 - only this run needs an engine

        for left in reversed(range(TRIES_TO_PAUSE)):
            try:
                self.container.pause()
            except APIError:  # the kernel did not get hold of all its processes, which fork and exit
                if not left:
                    raise
            else:
                return


@dataclass(frozen=True)
class Ground:
    """Both parts, and the cluster as it is reached directly."""

    postgres: Part
    broker: Part
    cluster: Cluster


@asynccontextmanager
async def embedded(folder: Folder, ports: Mapping[str, int]) -> AsyncIterator[Ground]:
    """Run both from wheels; clients are told that the broker is at `broker-wire`."""
    account = postgres.account()
    if account:
        postgres.let_pass(account, folder)
    cluster = Cluster(folder.postgres, ports["postgres"], folder.secrets(), account)
    await cluster.make()
    program = _known_as(programs.broker(programs.Addresses(0, ports)), ports["broker-wire"])
    database = Processes(Child(cluster.program(), folder.logs), cluster.accepts, signal.SIGINT)
    broker = Processes(Child(program, folder.logs), partial(_serves, ports["broker"]), signal.SIGTERM, forgets=True)
    try:
        await database.begin()
        await broker.begin()
        yield Ground(database, broker, cluster)
    finally:
        for part in (broker, database):
            if part.child.running:
                await part.thaw()
                await part.child.stop(asyncio.Event())


@asynccontextmanager
async def containers(folder: Folder, ports: Mapping[str, int]) -> AsyncIterator[Ground]:
    """Run Apache Kafka and PostgreSQL, each in a container of our own; clients are told of `broker-wire`."""
    brokers.require_engine()
    secrets = folder.secrets().model_copy(update={"superuser": brokers.PASSWORD})
    cluster = Cluster(folder.postgres, ports["postgres"], secrets, None)
    kafka = brokers.apache_kafka(free_port(), ports["broker"], ports["broker-wire"])
    kafka.with_command(["bash", "-c", START_KAFKA]).with_env("KAFKA_JVM_PERFORMANCE_OPTS", START_QUICKLY)
    both = brokers.postgresql(ports["postgres"]), kafka
    try:
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in both))
        yield Ground(
            Container(both[0].get_wrapped_container(), cluster.accepts),
            Container(both[1].get_wrapped_container(), partial(_serves, ports["broker"])),
            cluster,
        )
    finally:
        await asyncio.gather(*(asyncio.to_thread(each.stop) for each in both))


def _known_as(broker: Program, port: int) -> Program:
    before, url, after = _around(broker.command, "--advertised-listener-url")
    return replace(broker, command=(*before, f"{url.rpartition(':')[0]}:{port}", *after))


def _around(command: tuple[str, ...], option: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    place = command.index(option) + 1
    return command[:place], command[place], command[place + 1 :]


async def _serves(port: int) -> bool:
    return await bus.answers(KafkaSettings(kafka_servers=f"{LOOPBACK}:{port}"), 2)
