"""The tables that the code expects are those that the migrations make."""

import importlib

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from shared.events.topics import SERVICES
from tests.conftest import MakeDatabase


@pytest.mark.parametrize("service", SERVICES)
async def test_the_migrations_make_the_tables_that_the_code_expects(service: str, database: MakeDatabase) -> None:
    migrated = await database(service)
    metadata = importlib.import_module(f"services.{service}.tables").Row.metadata

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    async with migrated.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
