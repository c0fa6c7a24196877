"""Databases brought up to date: each service's Alembic migrations, run by the role that owns the database."""

import asyncio
from importlib.resources import files
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

LOCK = 7_243_001
"""The advisory lock that makes migrations side by side wait for each other."""


def upgrade(service: str, database_url: str, revision: str = "head") -> None:
    """Bring the database of `service` to the newest schema, or to an older one; harmless when it is there already."""
    config = _config(service)
    config.attributes["url"] = database_url
    command.upgrade(config, revision)


def revisions(service: str) -> tuple[str, ...]:
    """Name all that the database of `service` may stand at, by this release, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config(service)).walk_revisions())


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(str(files(f"services.{service}"))) / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def run(metadata: MetaData) -> None:
    """Do what a service's `env.py` is for."""
    asyncio.run(_run(context.config.attributes["url"], metadata))


async def _run(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate, metadata)
            await connection.commit()
    finally:
        await engine.dispose()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    context.run_migrations()
