"""What a transaction asks its database through: SQLAlchemy's session, past which plain SQL goes straight to asyncpg."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

Values = Mapping[str, Any]
MOST_STATEMENTS = 500
DRIVERS_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_NOT_OURS = "a transaction ends where it was begun: leave its block, or raise"
_dialect = dialect()  # type: ignore[no-untyped-call]


class Session(AsyncSession):
    """SQLAlchemy's session on a connection whose transaction somebody else begins and ends.

    `text` has no types to be told and no objects to be made of its rows: what SQLAlchemy does for it costs more than
    what it asks. Errors are the same on either way.
    """

    def __init__(self, connection: AsyncConnection, driver: "asyncpg.Connection[asyncpg.Record]") -> None:
        super().__init__(connection, expire_on_commit=False)
        self._driver = driver

    async def execute(self, statement: Any, params: Any = None, **asked: Any) -> Result[*tuple[Any, ...]]:  # noqa: ANN401
        """Execute a statement; of plain SQL that gives no rows nothing is told."""
        if not isinstance(statement, TextClause):
            return await super().execute(statement, params, **asked)
        records = await self._fetch(statement, params)
        names = list(records[0].keys()) if records else ("",)
        return IteratorResult(SimpleResultMetaData(names), map(tuple, records))

    async def scalar(self, statement: Any, params: Any = None, **asked: Any) -> Any:  # noqa: ANN401
        """Execute a statement and give the first value of the first row; None where there is no row."""
        if not isinstance(statement, TextClause):
            return await super().scalar(statement, params, **asked)
        records = await self._fetch(statement, params)
        return records[0][0] if records else None

    async def scalars(self, statement: Any, params: Any = None, **asked: Any) -> Any:  # noqa: ANN401
        """Execute a statement and give the first value of each row."""
        if not isinstance(statement, TextClause):
            return await super().scalars(statement, params, **asked)
        return (await self.execute(statement, params)).scalars()

    async def commit(self) -> None:
        """Refuse: whoever began the transaction ends it."""
        raise TypeError(_NOT_OURS)

    async def rollback(self) -> None:
        """Refuse: an exception undoes the transaction."""
        raise TypeError(_NOT_OURS)

    async def _fetch(self, statement: TextClause, values: Values | None) -> Sequence[asyncpg.Record]:
        sql, names = _numbered(statement.text)
        known = values or {}
        try:
            return cast("Sequence[asyncpg.Record]", await self._driver.fetch(sql, *[known[name] for name in names]))
        except DRIVERS_ERRORS as error:
            raise as_sqlalchemy(error, sql) from error


def driver_of(connection: AsyncConnection) -> "asyncpg.Connection[asyncpg.Record]":
    """Give asyncpg's own connection."""
    raw = cast("Any", connection.sync_connection).connection.driver_connection
    return cast("asyncpg.Connection[asyncpg.Record]", raw)


def as_sqlalchemy(error: Exception, sql: str) -> DBAPIError:
    """Give the error that SQLAlchemy raises for one of asyncpg's; it shows no value."""
    shape: type[DBAPIError] = DBAPIError
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        shape = IntegrityError
    elif isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        shape = InterfaceError
    return shape(sql, None, error, hide_parameters=True)


@lru_cache(MOST_STATEMENTS)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """Give a statement with its values by number, as PostgreSQL takes them, and their names in that order."""
    compiled = TextClause(sql).compile(dialect=_dialect)
    return str(compiled), tuple(compiled.positiontup or ())
