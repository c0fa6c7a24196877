"""A database that hangs, as its callers meet it."""

import asyncio
import os
import signal

import pytest
from sqlalchemy import text

from shared.database import passes
from tests.clock import HandClock
from tests.conftest import MakeDatabase

SECONDS_OF_POLITENESS = 2
"""What SQLAlchemy grants a server to say goodbye."""


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
