"""The tables that the code expects are those that the migrations make, and none takes anything from older code."""

import asyncio
import importlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from shared import migrations
from shared.events.topics import SERVICES
from tests.brokers import Parts
from tests.conftest import MakeDatabase
from tests.expanding import narrowed, schema


@pytest.mark.parametrize("service", SERVICES)
async def test_the_migrations_make_the_tables_that_the_code_expects(service: str, database: MakeDatabase) -> None:
    migrated = await database(service)
    metadata = importlib.import_module(f"services.{service}.tables").Row.metadata

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    async with migrated.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest_asyncio.fixture
async def empty(parts: Parts) -> AsyncIterator[str]:
    """Give the address of a database with nothing in it."""
    admin: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(parts.database("postgres"))
    await admin.execute("CREATE DATABASE growing")
    yield parts.database("growing")
    await admin.execute("DROP DATABASE growing WITH (FORCE)")
    await admin.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_each_migration_leaves_what_the_release_before_it_reads_and_writes(service: str, empty: str) -> None:
    first, *later = reversed(migrations.revisions(service))
    await asyncio.to_thread(migrations.upgrade, service, empty, first)
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(empty)
    taken = {}
    before = await schema(connection)
    assert before.columns
    for revision in later:
        await asyncio.to_thread(migrations.upgrade, service, empty, revision)
        after = await schema(connection)
        taken[revision] = narrowed(before, after)
        before = after
    await connection.close()
    assert taken == {revision: [] for revision in later}


MADE = """
    CREATE TABLE papers (id bigint PRIMARY KEY, title text, author text NOT NULL, pages int NOT NULL DEFAULT 1);
    CREATE TABLE shelves (id bigint PRIMARY KEY)
"""


@pytest.mark.parametrize(
    ("migration", "said"),
    [
        ("DROP TABLE shelves", "shelves.id is gone"),
        ("ALTER TABLE shelves RENAME TO cases", "shelves.id is gone"),
        ("ALTER TABLE papers DROP COLUMN title", "papers.title is gone"),
        ("ALTER TABLE papers RENAME COLUMN title TO name", "papers.title is gone"),
        ("ALTER TABLE papers ALTER title TYPE varchar(9)", "papers.title was text and is character varying(9)"),
        ("ALTER TABLE papers ALTER title SET NOT NULL", "papers.title must be said now"),
        ("ALTER TABLE papers ALTER pages DROP DEFAULT", "papers.pages must be said now"),
        ("ALTER TABLE papers ADD place text NOT NULL", "papers.place is new and must be said"),
        ("ALTER TABLE papers ADD CHECK (pages > 0)", "papers refuses more: CHECK ((pages > 0))"),
        ("ALTER TABLE papers ADD shelf int, ADD CHECK (pages > shelf)", "papers refuses more: CHECK ((pages > shelf))"),
        (
            "CREATE UNIQUE INDEX ON papers (title)",
            "papers refuses more: CREATE UNIQUE ON public.papers USING btree (title)",
        ),
        (
            "ALTER TABLE papers ADD place text DEFAULT '-', ADD UNIQUE (place)",
            "papers refuses more: CREATE UNIQUE ON public.papers USING btree (place)",
        ),
        (
            "ALTER TABLE papers ADD FOREIGN KEY (id) REFERENCES shelves",
            "papers refuses more: FOREIGN KEY (id) REFERENCES shelves(id)",
        ),
    ],
)
async def test_what_takes_something_from_older_code_is_seen(migration: str, said: str, empty: str) -> None:
    assert await taken_by(migration, empty) == [said]


@pytest.mark.parametrize(
    "migration",
    [
        "CREATE TABLE cases (id bigint PRIMARY KEY, title text NOT NULL UNIQUE CHECK (title <> ''))",
        "ALTER TABLE papers ADD place text, ADD shelf bigint NOT NULL DEFAULT 1",
        "ALTER TABLE papers ADD place text UNIQUE CHECK (place <> ''), ADD shelf bigint REFERENCES shelves",
        "ALTER TABLE papers ADD place text; CREATE UNIQUE INDEX ON papers (place, title)",
        "ALTER TABLE papers ALTER author DROP NOT NULL; CREATE INDEX ON papers (title)",
    ],
)
async def test_what_only_adds_is_let_pass(migration: str, empty: str) -> None:
    assert await taken_by(migration, empty) == []


async def taken_by(migration: str, url: str) -> list[str]:
    """Say what a migration takes from code that knows the tables above."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    await connection.execute(MADE)
    before = await schema(connection)
    await connection.execute(migration)
    after = await schema(connection)
    await connection.close()
    return narrowed(before, after)
