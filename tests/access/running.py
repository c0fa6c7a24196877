"""The whole system on a broker that asks who one is: each service as a user of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.cli.outside import add_publisher
from deploy.cli.target import Target
from deploy.embedded import programs
from deploy.embedded.folder import FrontPort
from deploy.embedded.processes import Child, Program
from shared.events.topics import SERVICES
from shared.messaging.kafka import connection
from tests.access.broker import ADMIN, PASSWORD, Guarded
from tests.brokers import Parts
from tests.system.running import Ground, client, start, stop
from tests.system.stack import Publisher, Stack
from tests.system.streams import Bus, connected

USERS = {service: f"{service}-only-for-tests" for service in SERVICES}
"""The passwords of the services' users, which `convoca migrate` makes."""


@dataclass
class GuardedStack(Stack):
    """A whole system whose operator is here: who lets a system in need not start a command for it."""

    @property
    def target(self) -> Target:
        """Give it as the commands see it."""
        return Target(self.naming, None)

    async def publisher(self, name: str, service: str) -> Publisher:
        """Let an outside system in."""
        added = await add_publisher(self.target, service, name)
        return Publisher.model_validate_json(added.model_dump_json())


@asynccontextmanager
async def on_guarded(broker: Guarded, parts: Parts, root: Path) -> AsyncIterator[GuardedStack]:
    """Run services, mail catcher and front door on `broker`, and on the PostgreSQL of `parts`."""
    async with AsyncExitStack() as at_end:
        ground = Ground.in_folder(root, parts)
        at_end.callback(ground.folder.unlock)
        bus = await at_end.enter_async_context(_as_admin(broker))
        await ground.cluster.provide()
        front = FrontPort(0)
        at_end.callback(front.release)
        addresses = programs.Addresses(front.number, ground.ports)
        http = await at_end.enter_async_context(client(addresses.url))
        naming = {
            **ground.naming(parts),
            "CONVOCA_KAFKA_SECURITY": "sasl_plaintext",
            "CONVOCA_KAFKA_ADMIN_USERNAME": ADMIN,
            "CONVOCA_KAFKA_ADMIN_PASSWORD": PASSWORD,
            **{f"CONVOCA_{service.upper()}_KAFKA_PASSWORD": password for service, password in USERS.items()},
        }
        stack = GuardedStack(addresses.url, bus, http, ground.folder.logs, naming=naming)
        await stack.convoca("migrate")
        services = programs.services(addresses, ground.folder, ground.secrets, ground.cluster.urls())
        everything = (
            programs.mailcatcher(addresses, ground.folder),
            *map(_as_itself, services),
            programs.front(addresses, ground.folder),
        )
        children = [Child(program, ground.folder.logs) for program in everything]
        at_end.push_async_callback(stop, children)
        await asyncio.gather(*(start(child, addresses) for child in children))
        yield stack
        assert [child.name for child in children if not child.running] == []


def _as_admin(broker: Guarded) -> AbstractAsyncContextManager[Bus]:
    login = dict(connection(broker.as_admin))
    return connected(str(login.pop("bootstrap_servers")), **login)


def _as_itself(service: Program) -> Program:
    """Have a service log in as the user that is called like it."""
    login = {
        "CONVOCA_KAFKA_SECURITY": "sasl_plaintext",
        "CONVOCA_KAFKA_USERNAME": service.name,
        "CONVOCA_KAFKA_PASSWORD": USERS[service.name],
    }
    return replace(service, environment={**service.environment, **login})
