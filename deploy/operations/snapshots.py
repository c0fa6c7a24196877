"""A database as it is at one moment: held by a transaction, counted, and written out by pg_dump."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import asyncpg

from deploy.operations.archive import PIECE
from deploy.operations.programs import OURS, Programs, environment_for

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MAJOR = 10_000
SECONDS_TO_COUNT = 600
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


class DumpFailed(Exception):  # noqa: N818 - what happened, as its name says
    """pg_dump or pg_restore did not do as it was asked; the text has its last words."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a database; nothing that is committed later is seen by `connection`, or by pg_dump with its id."""

    url: str
    id: str
    at: datetime
    revision: str | None
    server: int
    connection: Connection

    async def rows(self) -> dict[str, int]:
        """Count the rows of each table."""
        return await rows(self.connection)

    async def dump(self, programs: Programs, write: Callable[[bytes], None]) -> None:
        """Write everything out, in pg_dump's own format, which is compressed. Raises DumpFailed."""
        address, surroundings = environment_for(self.url)
        dumping = await asyncio.create_subprocess_exec(
            programs.path("pg_dump"),
            *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={self.id}"),
            *("--no-password", f"--dbname={address}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(surroundings),
        )
        if dumping.stdout is None or dumping.stderr is None:
            raise DumpFailed("pg_dump has no output")
        words = asyncio.ensure_future(dumping.stderr.read())
        try:
            while piece := await dumping.stdout.read(PIECE):
                await asyncio.to_thread(write, piece)
            code = await dumping.wait()
        finally:
            if dumping.returncode is None:
                dumping.kill()
                await dumping.wait()
        if code:
            message = f"pg_dump failed: {last_words(await words)}"
            raise DumpFailed(message)


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Hold a moment of a database for as long as the block lasts."""
    connection: Connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": OURS})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(
                "SELECT pg_export_snapshot() AS id, clock_timestamp() AS at,"
                " current_setting('server_version_num')::int AS server"
            )
            if row is None:
                raise DumpFailed("the server exports no snapshot")
            yield Snapshot(url, row["id"], row["at"], await revision(connection), row["server"] // MAJOR, connection)
    finally:
        await connection.close()


async def revision(connection: Connection) -> str | None:
    """Tell which migration a database stands at; None where it was never migrated."""
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return None
    return await connection.fetchval("SELECT version_num FROM public.alembic_version")  # type: ignore[no-any-return]


async def rows(connection: Connection) -> dict[str, int]:
    """Count the rows of each of a database's tables, but for the one that says its revision."""
    names = [row["relname"] for row in await connection.fetch(_TABLES)]
    return {
        name: await connection.fetchval(f'SELECT count(*) FROM public."{name}"', timeout=SECONDS_TO_COUNT)  # noqa: S608
        for name in names
        if name != "alembic_version"
    }


def last_words(printed: bytes) -> str:
    """Give what a program said last, on one line."""
    lines = [line for line in printed.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return " ".join((errors or lines or ["it said nothing"])[-1].split())
