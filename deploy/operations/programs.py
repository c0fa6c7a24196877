"""PostgreSQL's own client programs: those on PATH where they are new enough for the server, else the wheel's."""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from deploy.embedded.folder import CannotStart
from deploy.embedded.wheel import programs

OURS = "convoca-operations"
"""What our sessions are called, so that they are told from those of services."""
NEEDED = ("pg_dump", "pg_restore", "psql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class NoPrograms(Exception):  # noqa: N818 - said to a person, in one line
    """There are no client programs that fit the server; the text says which there are and what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with pg_dump, pg_restore and psql of one version."""

    folder: Path

    def path(self, name: str) -> str:
        """Give the path of a program."""
        return str(self.folder / name)


async def programs_for(server: int, path: str | None = None) -> Programs:
    """Find programs whose major version is at least `server`, for an older pg_dump refuses a newer server.

    Raises NoPrograms. `path` is searched in place of PATH.
    """
    found: list[str] = []
    for folder in _folders(path):
        version = await _version(folder / "pg_dump")
        if version is not None and version >= server and all((folder / name).exists() for name in NEEDED):
            return Programs(folder)
        found.append(f"{folder} has {version or 'none that runs'}")
    message = (
        f"the server is PostgreSQL {server}, and there is no pg_dump, pg_restore and psql of version {server} or newer"
        f" ({'; '.join(found) or 'none on PATH'}); install PostgreSQL {server}'s client programs"
    )
    raise NoPrograms(message)


def bare_environment() -> dict[str, str]:
    """Give the environment without what is ours or PostgreSQL's, for a program that asks no server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CONVOCA_"))}


def environment_for(url: str) -> tuple[str, Mapping[str, str]]:
    """Give the address without its password, for a command line that others see, and the environment that has it."""
    address = make_url(url)
    shown = URL.create(
        "postgresql",
        username=address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query=address.query,
    )
    surroundings = bare_environment()
    if address.password is not None:
        surroundings["PGPASSWORD"] = str(address.password)
    surroundings |= {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": OURS, "PGCLIENTENCODING": "UTF8"}
    return shown.render_as_string(hide_password=False), surroundings


def _folders(path: str | None) -> list[Path]:
    on_path = shutil.which("pg_dump", path=path)
    # Debian's is a script that calls the programs of its own folder: what stands beside it is such a script too.
    folders = [Path(on_path).parent] if on_path else []
    try:
        return [*folders, programs() / "bin"]
    except CannotStart:
        return folders


async def _version(program: Path) -> int | None:
    try:
        asked = await asyncio.create_subprocess_exec(
            *(str(program), "--version"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=bare_environment(),
        )
    except OSError:
        return None
    printed, _ = await asked.communicate()
    found = _VERSION.search(printed.decode(errors="replace"))
    return int(found[1]) if found and not asked.returncode else None
