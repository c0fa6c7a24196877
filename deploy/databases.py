"""A role and a database for each service, made by whoever may make them; harmless where they are there already."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import asyncpg
from scramp import ScramMechanism

LOCK = 7_243_007
"""The advisory lock that makes those who provide databases side by side wait for each other."""


async def provide(superuser: str, databases: Mapping[str, str]) -> None:
    """Make the role and the database that each address names, where missing; a role reaches its own database only.

    The password of a role is the one of its address from now on; PostgreSQL is told a verifier of it only, so that
    none stands in its log. `superuser` is the address of who may do this.
    """
    connection = await asyncpg.connect(superuser, timeout=5)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        for url in databases.values():
            parts = urlsplit(url)
            role, database = unquote(parts.username or ""), parts.path.removeprefix("/")
            known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
            verb = "ALTER" if known else "CREATE"
            await _do(connection, f"{verb} ROLE %I LOGIN PASSWORD %L", role, verifier(unquote(parts.password or "")))
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
                await connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
                await _do(connection, "CREATE DATABASE %I OWNER %I", database, role)
                await _do(connection, "REVOKE CONNECT ON DATABASE %I FROM PUBLIC", database)
    finally:
        await connection.close()


def verifier(password: str) -> str | None:
    """Give that by which PostgreSQL knows a password without having it (as in pg_authid); None where there is none."""
    if not password:
        return None
    salt, stored, server, rounds = ScramMechanism("SCRAM-SHA-256").make_auth_info(password)
    parts = [b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{parts[0]}${parts[1]}:{parts[2]}"


async def _do(connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *parts: str | None) -> None:
    """Do what takes no parameters: PostgreSQL itself quotes the names and words in it, and writes None as NULL."""
    quoted = ", ".join(f"${number}::text" for number, _ in enumerate(parts, 1))
    await connection.execute(await connection.fetchval(f"SELECT format('{statement}', {quoted})", *parts))
