"""The whole system with two replicas of each service, on ground that shakes; whoever of them dies is started again."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from deploy import prepare
from deploy.embedded import programs
from deploy.embedded.folder import LOOPBACK, Folder
from deploy.embedded.postgres import Cluster
from deploy.embedded.processes import Child, Program, is_ready
from shared.database import Database
from shared.events.topics import SERVICES
from shared.messaging import publishers
from shared.web import tokens
from tests.chaos import ground, serving
from tests.chaos.ground import Ground
from tests.wire import Wire

Parts = Literal["embedded", "containers"]
REPLICAS = (1, 2)
PUBLISHER = "outside"
SECONDS_BEFORE_A_RESTART = 0.2
WIRED = ("postgres", "broker")
NAMES = tuple(f"{service}-{number}" for service in SERVICES for number in REPLICAS)


@dataclass
class Replica:
    """One process of a service, with a clock of its own."""

    service: str
    port: int
    child: Child
    clock: Path
    wrong: float = 0.0
    deaths: int = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    async def ready(self) -> bool:
        """Tell whether it says that it is ready."""
        return await is_ready(self.port, f"/api/{self.service}/health/ready")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.child.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child.pid, number)

    def step_clock(self, seconds: float) -> None:
        """Let its clock jump, to be wrong by so many seconds."""
        self.wrong = seconds
        serving.set_wrong(self.clock, seconds)

    async def keep_alive(self) -> None:
        """Start it again whenever it dies, as an operator's engine does."""
        while True:
            await self.child.ended()
            self.deaths += 1
            await asyncio.sleep(SECONDS_BEFORE_A_RESTART)
            await self.child.start()


@dataclass
class World:
    """All of it, running."""

    parts: Parts
    ground: Ground
    wires: Mapping[str, Wire]
    replicas: Mapping[str, Replica]
    databases: Mapping[str, str]
    """The services' databases for who looks in from outside, past the wire."""
    kafka: str
    mailbox: str
    logs: Path
    token: str
    staff: Mapping[str, str] = field(repr=False)

    def of(self, service: str) -> list[Replica]:
        """Give a service's replicas."""
        return [each for each in self.replicas.values() if each.service == service]


@asynccontextmanager
async def running(root: Path, parts: Parts) -> AsyncIterator[World]:
    """Start everything and wait until all are ready; at the end nothing of it is left."""
    async with AsyncExitStack() as at_end:
        folder = Folder(root)
        folder.lock()
        at_end.callback(folder.unlock)
        wires = [f"{part}-wire" for part in WIRED]
        ports = folder.ports([*programs.PORTS, *wires, *NAMES])
        lay_ground = ground.embedded if parts == "embedded" else ground.containers
        under = await at_end.enter_async_context(lay_ground(folder, ports))
        laid = {part: Wire(ports[part], ports[f"{part}-wire"]) for part in WIRED}
        for wire in laid.values():
            await wire.mend()
            at_end.push_async_callback(wire.cut)
        kafka = f"{LOOPBACK}:{ports['broker-wire']}"
        token, staff = await _furnish(under.cluster, kafka)
        children = _children(folder, ports, under.cluster, parts)
        clocks = {name: folder.root / f"{name}.clock" for name in NAMES}
        for clock in clocks.values():
            serving.set_wrong(clock, 0)
        replicas = {name: Replica(name.rpartition("-")[0], ports[name], children[name], clocks[name]) for name in NAMES}
        at_end.push_async_callback(_kill, children.values())
        for child in children.values():
            await child.start()
        mailcatcher = children["mailcatcher"]
        await mailcatcher.becomes_ready(partial(is_ready, ports["mailbox"], "/mailbox"))
        await asyncio.gather(*(each.child.becomes_ready(each.ready) for each in replicas.values()))
        keepers = [asyncio.create_task(each.keep_alive()) for each in replicas.values()]
        at_end.push_async_callback(_end, keepers)
        yield World(
            parts, under, laid, replicas, _seen_from_outside(under.cluster), kafka,
            f"http://{LOOPBACK}:{ports['mailbox']}", folder.logs, token, staff,
        )  # fmt: skip


def _children(folder: Folder, ports: Mapping[str, int], cluster: Cluster, parts: Parts) -> dict[str, Child]:
    """Describe the processes; each replica goes by the wires, and by its own clock."""
    by_wire = replace(cluster, port=ports["postgres-wire"])
    known = {**ports, "broker": ports["broker-wire"]}
    described: list[Program] = [programs.mailcatcher(programs.Addresses(0, ports), folder)]
    for number in REPLICAS:
        own = {service: ports[f"{service}-{number}"] for service in SERVICES}
        addresses = programs.Addresses(ports["registration-1"], {**known, **own})
        for program in programs.services(addresses, folder, by_wire.secrets, by_wire.urls()):
            name = f"{program.name}-{number}"
            described.append(
                replace(
                    program,
                    name=name,
                    command=(*program.command[:-1], serving.__name__, program.name, str(folder.root / f"{name}.clock")),
                    environment={**program.environment, **_settings(parts)},
                    folder=Path(__file__).parents[2],
                )
            )
    return {each.name: Child(each, folder.logs) for each in described}


def _settings(parts: Parts) -> dict[str, str]:
    # Two members on a busy machine do not always get together within the second that `up` has its broker grant them.
    patient = {"CONVOCA_KAFKA_SESSION_SECONDS": "6"}
    # A broker that keeps its records needs none again; in production nothing is sent again at a start.
    return patient if parts == "embedded" else {**patient, "CONVOCA_REPLAY_ON_START": "0"}


def _seen_from_outside(cluster: Cluster) -> dict[str, str]:
    return {service: cluster.url(service, "postgres", cluster.secrets.superuser) for service in SERVICES}


async def _furnish(cluster: Cluster, kafka: str) -> tuple[str, dict[str, str]]:
    """Make databases and topics, let the publisher and staff in; answers their tokens."""
    await cluster.provide()
    await prepare.migrate(cluster.urls())
    drawn, now = tokens.generate(), datetime.now(UTC)
    given = ""
    for service, url in cluster.urls().items():
        database = Database(url, service)
        async with database.transaction(now) as tx:
            await tokens.create(tx.session, "staff", "staff", drawn, now, None)
            if service == "registration":
                given = await publishers.add(tx.session, PUBLISHER, now)
        await database.close()
    await prepare.make_topics(prepare.plain_kafka(kafka), cluster.urls())
    return given, {"Authorization": f"Bearer {drawn}"}


async def _kill(children: Collection[Child]) -> None:
    """End them at once: how they end politely, other suites ask."""
    hurry = asyncio.Event()
    hurry.set()
    await asyncio.gather(*(each.stop(hurry) for each in children))


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
