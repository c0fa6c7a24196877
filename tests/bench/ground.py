"""What the bench stands on: one PostgreSQL for a run, and for each measurement new databases and a new broker."""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import asyncpg
import psutil

from deploy.embedded import postgres, programs
from deploy.embedded.folder import Folder, Secrets
from deploy.embedded.processes import Child, Program, is_ready, listens
from deploy.prepare import make_topics, plain_kafka
from shared import migrations
from shared.events.topics import SERVICES
from tests import brokers
from tests.bench import world
from tests.deploy.running import free_port

Broker = Literal["embedded", "kafka"]
SECONDS_FOR_A_PROGRAM = 280
OF_THE_EMBEDDED_BROKER = (
    "CONVOCA_KAFKA_SESSION_SECONDS",
    "CONVOCA_KAFKA_FETCH_WAIT_MS",
    "CONVOCA_KAFKA_DROP_STUCK_GROUPS",
)
"""What `convoca up` tells the services because of its broker; on Apache Kafka they have the defaults."""
_numbers = itertools.count(1)


@dataclass(slots=True)
class Site:
    """Where one measurement takes place; what it starts ends with it."""

    folder: Folder
    secrets: Secrets
    addresses: programs.Addresses
    databases: Mapping[str, str]
    broker: Broker
    children: list[Child] = field(default_factory=list)

    @property
    def kafka(self) -> str:
        """The broker's address."""
        return self.addresses.of("broker")

    async def serve(self, service: str, port: str | None = None) -> Child:
        """Start a service as `convoca up` does and wait until it is ready; `port` names that of a second process."""
        ports = {**self.addresses.ports, service: self.addresses.ports[port or service]}
        addresses = programs.Addresses(self.addresses.front, ports)
        known = programs.services(addresses, self.folder, self.secrets, self.databases)
        program = next(each for each in known if each.name == service)
        told = {
            name: value
            for name, value in program.environment.items()
            if self.broker == "embedded" or name not in OF_THE_EMBEDDED_BROKER
        }
        child = await self.start(replace(program, name=port or service, environment=told))
        await child.becomes_ready(lambda: is_ready(ports[service], f"/api/{service}/health/ready"))
        return child

    async def start(self, program: Program) -> Child:
        """Start a program that ends with the measurement."""
        child = Child(program, self.folder.logs)
        await child.start()
        self.children.append(child)
        return child


@dataclass(slots=True)
class Ground:
    """The parts of one run."""

    folder: Folder
    secrets: Secrets
    addresses: programs.Addresses
    superuser: str
    broker: Broker

    async def prepare(self) -> None:
        """Make the databases of which each measurement gets copies: migrated, with the workshops in them."""
        admin: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(f"{self.superuser}/postgres")
        for service in SERVICES:
            await admin.execute(f"CREATE DATABASE template_{service}")
            await asyncio.to_thread(migrations.upgrade, service, f"{self.superuser}/template_{service}")
        await admin.close()
        await world.furnish(f"{self.superuser}/template_registration")

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Site]:
        """Give new databases and a new broker with all topics, and take them away again."""
        admin: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(f"{self.superuser}/postgres")
        number = next(_numbers)
        for service in SERVICES:
            await admin.execute(f"CREATE DATABASE {service}_{number} TEMPLATE template_{service}")
        await admin.execute("CHECKPOINT")  # nobody pays for what the one before has written
        ports = self.folder.ports([*programs.PORTS, "registration-2", "notifications-2"])
        addresses = programs.Addresses(0, {**ports, "postgres": self.addresses.ports["postgres"]})
        databases = {service: f"{self.superuser}/{service}_{number}" for service in SERVICES}
        site = Site(self.folder, self.secrets, addresses, databases, self.broker)
        try:
            async with AsyncExitStack() as until_all_have_ended:
                if self.broker == "kafka":
                    await until_all_have_ended.enter_async_context(_kafka(addresses.ports["broker"]))
                else:
                    broker = await site.start(programs.broker(addresses))
                    await broker.becomes_ready(lambda: listens(addresses.ports["broker"]))
                try:
                    await make_topics(plain_kafka(site.kafka), databases)
                    yield site
                finally:
                    for child in reversed(site.children):
                        await child.stop(asyncio.Event())
        finally:
            for service in SERVICES:
                await admin.execute(f"DROP DATABASE {service}_{number} WITH (FORCE)")
            await admin.close()


@asynccontextmanager
async def _kafka(port: int) -> AsyncIterator[None]:
    """Run Apache Kafka in a container, at a port of the loopback."""
    container = brokers.apache_kafka(port, free_port(), free_port())
    await asyncio.to_thread(container.start)
    try:
        yield
    finally:
        await asyncio.to_thread(container.stop)


@asynccontextmanager
async def standing(root: Path, broker: Broker) -> AsyncIterator[Ground]:
    """Run PostgreSQL as the embedded stack does; `broker` says which one each measurement gets."""
    if broker == "kafka":
        brokers.require_engine()
    folder = Folder(root)
    folder.lock()
    addresses = programs.Addresses(0, folder.ports(programs.PORTS))
    account = postgres.account()
    if account:
        postgres.let_pass(account, folder)
    secrets = folder.secrets()
    cluster = postgres.Cluster(folder.postgres, addresses.ports["postgres"], secrets, account)
    await cluster.make()
    child = Child(cluster.program(), folder.logs)
    await child.start()
    try:
        await child.becomes_ready(cluster.accepts)
        superuser = cluster.url("", postgres.SUPERUSER, secrets.superuser).rstrip("/")
        ground = Ground(folder, secrets, addresses, superuser, broker)
        await ground.prepare()
        yield ground
    finally:
        await child.stop(asyncio.Event())
        folder.unlock()


async def ask(program: str, **job: object) -> dict[str, float]:
    """Run one of the bench's own programs, in a process of its own, and give what it answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"tests.bench.programs.{program}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS_FOR_A_PROGRAM):
            answer, _ = await process.communicate(json.dumps(job).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{program} failed: exit {process.returncode}")
    found: dict[str, float] = json.loads(answer)
    return found


def bench_program(name: str, **job: object) -> Program:
    """Give a program of the bench that runs until it is stopped; it is told its job by its argument."""
    import os  # noqa: PLC0415

    command = (sys.executable, "-m", f"tests.bench.programs.{name}", json.dumps(job))
    return Program(name=name, command=command, environment=dict(os.environ))


def megabytes(pid: int) -> float:
    """Give the memory that a process has resident, in millions of bytes."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
