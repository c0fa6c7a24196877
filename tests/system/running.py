"""Starting and stopping the whole system: `convoca up`, or the same programs on Apache Kafka and PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from deploy.embedded import postgres, programs
from deploy.embedded.folder import LOOPBACK, Folder, FrontPort, Secrets
from deploy.embedded.processes import Child, is_ready, listens
from shared.events.topics import SERVICES
from tests.brokers import Parts
from tests.collector import Collector
from tests.deploy.running import Up, free_port
from tests.system.stack import Stack
from tests.system.streams import Bus, connected
from tests.waiting import eventually

MOST_AT_ONCE = 200
SLOWEST_ANSWER = 30.0


@asynccontextmanager
async def embedded(root: Path, collector: Collector) -> AsyncIterator[Stack]:
    """Run `convoca up`; at the end it stops with 0, and has said nothing, so none of its parts died meanwhile."""
    up = Up(root, free_port(), CONVOCA_OTLP_ENDPOINT=collector.url)
    try:
        await asyncio.to_thread(up.ready)
        shown = up.shown()
        async with client(shown["url"]) as http, connected(shown["kafka"]) as bus:
            yield Stack(shown["url"], bus, http, root / "logs", root, collector=collector, services=services_of(root))
    finally:
        code, _, said = await asyncio.to_thread(up.stop)
    assert (code, said) == (0, "")


@asynccontextmanager
async def on_containers(parts: Parts, root: Path, collector: Collector) -> AsyncIterator[Stack]:
    """Run services, mail catcher and front door on the broker and the PostgreSQL of `parts`."""
    async with AsyncExitStack() as at_end:
        ground = Ground.in_folder(root, parts)
        at_end.callback(ground.folder.unlock)
        bus = await at_end.enter_async_context(connected(parts.kafka))
        await _forget(bus)
        at_end.push_async_callback(_forget, bus)  # what follows this suite finds the broker as it was
        await ground.cluster.provide()
        front = FrontPort(0)
        at_end.callback(front.release)
        addresses = programs.Addresses(front.number, ground.ports)
        http = await at_end.enter_async_context(client(addresses.url))
        stack = Stack(
            addresses.url,
            bus,
            http,
            ground.folder.logs,
            naming=ground.naming(parts),
            collector=collector,
            services=services_of(root),
        )
        await stack.convoca("migrate")
        everything = (
            programs.mailcatcher(addresses, ground.folder),
            *(
                replace(each, environment={**each.environment, "CONVOCA_OTLP_ENDPOINT": collector.url})
                for each in programs.services(addresses, ground.folder, ground.secrets, ground.cluster.urls())
            ),
            programs.front(addresses, ground.folder),
        )
        children = [Child(program, ground.folder.logs) for program in everything]
        at_end.push_async_callback(stop, children)
        await asyncio.gather(*(start(child, addresses) for child in children))
        yield stack
        assert [child.name for child in children if not child.running] == []


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder, and databases and a broker that are somebody else's."""

    folder: Folder
    secrets: Secrets
    ports: dict[str, int]
    cluster: postgres.Cluster

    @classmethod
    def in_folder(cls, root: Path, parts: Parts) -> "Ground":
        """Take a folder, and the PostgreSQL and broker of `parts`."""
        folder = Folder(root)
        folder.lock()
        database, kafka = urlsplit(parts.postgres), urlsplit(f"//{parts.kafka}")
        assert {database.hostname, kafka.hostname} == {LOOPBACK}
        secrets = folder.secrets().model_copy(update={"superuser": database.password})
        ports = folder.ports(programs.PORTS) | {"broker": kafka.port or 0, "postgres": database.port or 0}
        return cls(folder, secrets, ports, postgres.Cluster(folder.postgres, ports["postgres"], secrets, None))

    def naming(self, parts: Parts) -> dict[str, str]:
        """Give the settings by which the command finds it."""
        urls = {f"CONVOCA_{service.upper()}_DATABASE_URL": url for service, url in self.cluster.urls().items()}
        return {**urls, "CONVOCA_KAFKA_SERVERS": parts.kafka}


def services_of(root: Path) -> dict[str, str]:
    """Give where each service listens behind the front door."""
    ports = json.loads((root / "ports.json").read_bytes())
    return {service: f"http://{LOOPBACK}:{ports[service]}" for service in SERVICES}


def client(url: str) -> httpx.AsyncClient:
    """Give what speaks HTTP with a stack."""
    limits = httpx.Limits(max_connections=MOST_AT_ONCE)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=SLOWEST_ANSWER, trust_env=False)


async def start(child: Child, addresses: programs.Addresses) -> None:
    """Start a part and wait until it is ready."""
    await child.start()
    if child.name in SERVICES:
        probe = partial(is_ready, addresses.ports[child.name], f"/api/{child.name}/health/ready")
    else:
        probe = partial(listens, addresses.front if child.name == "front" else addresses.ports["mailbox"])
    await child.becomes_ready(probe)


async def stop(children: list[Child]) -> None:
    """Stop the front door first; the services end by themselves, with 0."""
    codes: dict[str, int] = {}
    for names in (("front",), SERVICES, ("mailcatcher",)):
        named = [child for child in children if child.name in names]
        await asyncio.gather(*(child.stop(asyncio.Event()) for child in named))
        codes |= {child.name: await child.ended() for child in named}
    assert {name: codes[name] for name in SERVICES} == dict.fromkeys(SERVICES, 0)


async def _forget(bus: Bus) -> None:
    """Delete every topic, which other suites may have left on this broker."""
    if known := await bus.topics():
        await bus.admin.delete_topics(known)

    async def none() -> bool:
        return not await bus.topics()

    await eventually(none, "the topics to be gone")
