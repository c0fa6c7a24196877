"""A database as its callers meet it: a transaction is all or nothing, a connection that is no good is not met again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

import asyncpg
import pytest
from sqlalchemy import text

from services.catalogue.tables import Programme
from shared.database import Database, Transaction, passes
from shared.session import driver_of
from tests.clock import HandClock
from tests.conftest import MakeDatabase
from tests.waiting import eventually

SECONDS_OF_POLITENESS = 2
"""What SQLAlchemy grants a server to say goodbye."""
NEW = {"new": "Another path"}


@asynccontextmanager
async def beside(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Give a connection of nobody's pool."""
    connection = await asyncpg.connect(
        database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    yield connection
    await connection.close()


async def test_a_connection_that_hangs_is_left_without_a_goodbye(database: MakeDatabase, clock: HandClock) -> None:
    registration = await database("registration")
    async with registration.transaction(clock()) as tx:
        server = await tx.session.scalar(text("SELECT pg_backend_pid()"))
    os.kill(server, signal.SIGSTOP)
    try:
        async with asyncio.timeout(SECONDS_OF_POLITENESS):
            with pytest.raises(TimeoutError) as failure:
                async with asyncio.timeout(0.05), registration.transaction(clock()) as tx:
                    await tx.session.execute(text("SELECT 1"))
    finally:
        os.kill(server, signal.SIGCONT)
    assert passes(failure.value)


async def test_a_connection_that_ended_while_it_rested_is_replaced_unseen(
    database: MakeDatabase, clock: HandClock
) -> None:
    registration = await database("registration")
    async with registration.engine.connect() as connection:
        resting = driver_of(connection)
    server = resting.get_server_pid()
    async with beside(registration) as admin:
        assert await admin.fetchval("SELECT pg_terminate_backend($1, 10000)", server)

    async def is_known() -> bool:
        return bool(resting.is_closed())

    await eventually(is_known, "word of the connection's end")
    async with registration.transaction(clock()) as tx:
        assert await tx.session.scalar(text("SELECT pg_backend_pid()")) != server


@pytest.mark.parametrize("turns", range(6))
async def test_a_server_that_took_leave_unheard_is_an_outage_or_nothing(
    database: MakeDatabase, clock: HandClock, turns: int
) -> None:
    """When it is asked next, its last words lie unread, or half read, which asyncpg calls an error of its own."""
    registration = await database("registration")
    async with registration.transaction(clock()) as tx:
        server = await tx.session.scalar(text("SELECT pg_backend_pid()"))

    async def end() -> None:
        async with beside(registration) as admin:
            assert await admin.fetchval("SELECT pg_terminate_backend($1, 10000)", server)

    meanwhile = Thread(target=asyncio.run, args=(end(),))
    meanwhile.start()
    meanwhile.join()  # and nothing else goes on here
    for _ in range(turns):
        await asyncio.sleep(0)
    try:
        async with registration.transaction(clock()) as tx:
            await tx.session.execute(text("SELECT 1"))
    except Exception as error:
        if not passes(error):
            raise
    async with registration.transaction(clock()) as tx:
        assert await tx.session.scalar(text("SELECT pg_backend_pid()")) != server


async def test_who_is_cancelled_leaves_nothing_open(database: MakeDatabase, clock: HandClock) -> None:
    registration, has_written = await database("registration"), asyncio.Event()

    async def write_and_hang() -> None:
        async with registration.transaction(clock()) as tx:
            await tx.session.execute(text("CREATE TABLE left_open ()"))
            has_written.set()
            await tx.session.execute(text("SELECT pg_sleep(60)"))

    hanging = asyncio.create_task(write_and_hang())
    await has_written.wait()
    hanging.cancel()
    await asyncio.wait({hanging})
    assert hanging.cancelled()
    async with registration.transaction(clock()) as tx:
        assert await tx.session.scalar(text("SELECT to_regclass('left_open')")) is None


async def test_an_exception_undoes_what_was_written_and_nobody_else_ends_a_transaction(
    database: MakeDatabase, clock: HandClock
) -> None:
    registration = await database("registration")
    async with registration.transaction(clock()) as tx:
        await tx.session.execute(text("CREATE TABLE written (word text)"))

    async def write_and(end: str, tx: Transaction) -> None:
        await tx.session.execute(text("INSERT INTO written VALUES ('too soon')"))
        await getattr(tx.session, end)()

    for end in ("commit", "rollback"):
        with pytest.raises(TypeError, match="ends where it was begun"):
            async with registration.transaction(clock()) as tx:
                await write_and(end, tx)
    async with registration.transaction(clock()) as tx:
        assert await tx.session.scalar(text("SELECT count(*) FROM written")) == 0


async def test_plain_sql_and_objects_are_of_one_transaction(database: MakeDatabase, clock: HandClock) -> None:
    catalogue = await database("catalogue")
    row = Programme(slug="smcnetzero", title={"en": "Net zero"}, summary={"en": "A path"})
    async with catalogue.transaction(clock()) as tx:
        tx.session.add(row)
        await tx.session.flush()
        assert await tx.session.scalar(text("SELECT title FROM programmes WHERE slug = :slug"), {"slug": row.slug})
        changed = text("UPDATE programmes SET summary = jsonb_build_object('en', CAST(:new AS text))")
        await tx.session.execute(changed, NEW)
    async with catalogue.transaction(clock()) as tx:
        found = await tx.session.get(Programme, row.slug)
        assert found is not None
        assert found.summary == {"en": NEW["new"]}


async def test_a_connection_that_was_left_in_a_transaction_is_not_met_again(
    database: MakeDatabase, clock: HandClock
) -> None:
    registration = await database("registration")
    async with registration.engine.connect() as connection:
        await driver_of(connection).execute("BEGIN")
    async with registration.transaction(clock()) as tx:
        await tx.session.execute(text("CREATE TABLE committed ()"))
    async with beside(registration) as admin:
        assert await admin.fetchval("SELECT to_regclass('committed')") == "committed"
