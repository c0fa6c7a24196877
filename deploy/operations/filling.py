"""A database's content replaced in one transaction of psql's, which is committed on a word: several become one so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.operations.archive import PIECE
from deploy.operations.programs import Programs, bare_environment, environment_for
from deploy.operations.snapshots import DumpFailed, last_words

SECONDS_FOR_A_LOCK = 15
FULL = "convoca-is-full"
DONE = "convoca-is-done"
ROWS = "convoca-rows"

EMPTY = """
DO $$
DECLARE it record;
BEGIN
    FOR it IN
        SELECT c.relname AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i'))
    LOOP
        EXECUTE format('DROP %s IF EXISTS public.%I CASCADE', it.kind, it.name);
    END LOOP;
    FOR it IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', it.name);
    END LOOP;
    FOR it IN
        SELECT t.typname AS name FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace
            AND t.typtype IN ('e', 'd')
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP TYPE IF EXISTS public.%I CASCADE', it.name);
    END LOOP;
END $$;
"""
"""Drops all that a service's migrations can have made, of any release: also what the backup knows nothing of."""


@dataclass(slots=True)
class Filling:
    """A database that is being filled; nobody else sees anything of it until `commit`."""

    url: str
    programs: Programs
    _psql: asyncio.subprocess.Process

    async def fill(self, read: Callable[[int], bytes], heard: Callable[[int], None]) -> None:
        """Replace everything by what pg_dump had written; raises DumpFailed."""
        await self._say(f"BEGIN;\nSET LOCAL lock_timeout = '{SECONDS_FOR_A_LOCK}s';\n{EMPTY}")
        restoring = await asyncio.create_subprocess_exec(
            self.programs.path("pg_restore"),
            *("--no-owner", "--no-privileges", "--file=-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=bare_environment(),
        )
        if restoring.stdin is None or restoring.stdout is None or restoring.stderr is None:
            raise DumpFailed("pg_restore has no input")
        words = asyncio.ensure_future(restoring.stderr.read())
        feeding = asyncio.ensure_future(_feed(restoring.stdin, read, heard))
        try:
            while piece := await restoring.stdout.read(PIECE):
                await self._write(piece)
            await feeding
            code = await restoring.wait()
        finally:
            feeding.cancel()
            if restoring.returncode is None:
                restoring.kill()
                await restoring.wait()
        if code:
            message = f"pg_restore failed: {last_words(await words)}"
            raise DumpFailed(message)

    async def rows(self, tables: Mapping[str, int]) -> dict[str, int]:
        """Count what is there now, before it is committed, in the tables named."""
        counts = (f"SELECT '{ROWS}', '{name}', count(*) FROM public.\"{name}\";\n" for name in tables)  # noqa: S608
        await self._say(f"{''.join(counts)}\\echo {FULL}\n")
        lines = [line.split("|") for line in await self._heard(FULL)]
        return {line[1]: int(line[2]) for line in lines if line[0] == ROWS}

    async def commit(self) -> None:
        """Let everybody see it."""
        await self._say(f"COMMIT;\n\\echo {DONE}\n")
        await self._heard(DONE)

    async def _heard(self, mark: str) -> list[str]:
        lines: list[str] = []
        if self._psql.stdout is None:
            raise DumpFailed("psql has no output")
        async for line in self._psql.stdout:
            if line.strip() == mark.encode():
                return lines
            lines.append(line.decode().rstrip("\n"))
        return await self._failed()

    async def _say(self, text: str) -> None:
        await self._write(text.encode())

    async def _write(self, content: bytes) -> None:
        if self._psql.stdin is None:
            raise DumpFailed("psql has no input")
        try:
            self._psql.stdin.write(content)
            await self._psql.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._failed()

    async def _failed(self) -> "list[str]":
        words = await self._psql.stderr.read() if self._psql.stderr else b""
        message = f"the database did not take it, and is as it was: {last_words(words)}"
        raise DumpFailed(message)


@asynccontextmanager
async def filling(url: str, programs: Programs) -> AsyncIterator[Filling]:
    """Begin to fill a database; without a commit the end of the block leaves it as it was."""
    address, surroundings = environment_for(url)
    psql = await asyncio.create_subprocess_exec(
        programs.path("psql"),
        *("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=|", "--no-password"),
        *("--set=ON_ERROR_STOP=1", f"--dbname={address}", "--file=-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(surroundings),
        limit=PIECE,
    )
    try:
        yield Filling(url, programs, psql)
    finally:
        if psql.stdin is not None:
            psql.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(psql.wait(), 10)
        if psql.returncode is None:
            psql.kill()
            await psql.wait()


async def _feed(writer: asyncio.StreamWriter, read: Callable[[int], bytes], heard: Callable[[int], None]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it says itself why it reads no more
        while piece := await asyncio.to_thread(read, PIECE):
            writer.write(piece)
            await writer.drain()
            heard(len(piece))
    writer.close()
