"""The databases of a folder in which no stack runs: PostgreSQL alone, for as long as one works on them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.embedded import postgres
from deploy.embedded.folder import Folder
from deploy.embedded.leftovers import end_leftovers
from deploy.embedded.processes import Child
from deploy.embedded.programs import PORTS

Say = Callable[[str], None]


@asynccontextmanager
async def databases(root: Path, say: Say) -> AsyncIterator[dict[str, str]]:
    """Give the addresses by service, made where there are none; raises CannotStart where a stack has the folder."""
    folder = Folder(root)
    folder.lock()
    child: Child | None = None
    try:
        await asyncio.to_thread(end_leftovers, folder.remembered(), folder.postgres)
        secrets, port = folder.secrets(), folder.ports(PORTS)["postgres"]
        account = postgres.account()
        if account:
            for opened in postgres.let_pass(account, folder):
                say(f"{opened} was opened for passage (chmod o+x): PostgreSQL does not run as root")
        cluster = postgres.Cluster(folder.postgres, port, secrets, account)
        await cluster.make()
        child = Child(cluster.program(), folder.logs)
        await child.start()
        if mark := child.mark():
            folder.remember({child.name: mark})
        await child.becomes_ready(cluster.accepts)
        await cluster.provide()
        yield cluster.urls()
        await postgres.settled()
    finally:
        if child is not None:
            await child.stop(asyncio.Event())
        folder.unlock()
