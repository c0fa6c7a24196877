"""One service's database: transactions that carry their events with them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine

from shared.events.base import Event
from shared.events.topics import Topic
from shared.messaging import outbox
from shared.messaging.envelope import Envelope, Outgoing, seal
from shared.observability import Origin, origin, tracing
from shared.session import DRIVERS_ERRORS, Session, as_sqlalchemy, driver_of

POOL = 8
SECONDS_TO_CONNECT = 3
SECONDS_FOR_A_STATEMENT = 4
PASSING_STATES = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that pass: connection, serialisation and deadlock, resources, locks, shutdown, system."""

OF_THE_DRIVER = (InterfaceError, InternalError)
"""What asyncpg says, not PostgreSQL: a connection is of no use, as where the server took leave before it was asked."""

IN_DOUBT = (TimeoutError, asyncio.CancelledError)
"""What leaves a statement under way, perhaps: its connection is given up, and nobody waits for it."""


@dataclass(slots=True)
class Transaction:
    """What an operation works in. `now` is its time; `cause` the envelope of the event that it answers, if any.

    `origin` is what it comes from where no event caused it: the request, if any.

    Whoever opened it commits; an operation never does.
    """

    session: Session
    service: str
    now: datetime
    cause: Envelope | None = None
    origin: Origin | None = None
    _messages: list[Outgoing] = field(default_factory=list)
    _after: list[Callable[[], None]] = field(default_factory=list)

    def emit(
        self,
        event: Event,
        *,
        key: UUID | str,
        sequence: int | None,
        topic: Topic | None = None,
        cause: Envelope | Origin | None = None,
    ) -> str:
        """Say `event` when this commits; answers its id.

        `key` is the aggregate's id, `sequence` its version after the change; the aggregate's row is locked by now.
        `cause` is given where one transaction answers many events, else it is the transaction's.
        """
        message = seal(
            event,
            source=f"/convoca/{self.service}",
            key=key,
            sequence=sequence,
            now=self.now,
            cause=cause or self.cause or self.origin,
            topic=topic,
        )
        self._messages.append(message)
        return message.event_id

    def forward(self, message: Outgoing) -> None:
        """Send a message as it stands when this commits."""
        self._messages.append(message)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the commit has succeeded; it must not fail, for nothing can be undone then."""
        self._after.append(callback)


class Database:
    """A pool of connections to one service's database; `on_messages` is called when a commit left some to send."""

    def __init__(self, url: str, service: str, on_messages: Callable[[], None] = lambda: None) -> None:
        self.service = service
        self.on_messages = on_messages
        self.engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=POOL,
            max_overflow=POOL,
            pool_timeout=SECONDS_TO_CONNECT,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",  # a transaction is begun where it is meant, by its driver
            connect_args={
                "timeout": SECONDS_TO_CONNECT,
                "command_timeout": SECONDS_FOR_A_STATEMENT,
                "server_settings": {"application_name": f"convoca-{service}"},
            },
        )
        event.listen(self.engine.sync_engine, "invalidate", _hang_up)

    @asynccontextmanager
    async def transaction(self, now: datetime, cause: Envelope | None = None) -> AsyncIterator[Transaction]:
        """Open a transaction; leaving the block commits it with its events, an exception undoes both."""
        with tracing.part("transaction"):
            async with self._begun() as session:
                tx = Transaction(session, self.service, now, cause, origin())
                yield tx
                if session.new or session.dirty or session.deleted:
                    await session.flush()
                if tx._messages:  # noqa: SLF001 - this is where they were kept for
                    await outbox.write(session, tx._messages, now)  # noqa: SLF001
        if tx._messages:  # noqa: SLF001
            self.on_messages()
        for callback in tx._after:  # noqa: SLF001
            callback()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Session]:
        """Give a session in a transaction, which leaving the block commits and an exception undoes."""
        async with self.engine.connect() as connection:
            # The server may have ended it while it rested; in a transaction left open, ours would be but a savepoint.
            while (driver := driver_of(connection)).is_closed() or driver.is_in_transaction():
                await connection.invalidate()
                await connection.get_raw_connection()
            transaction, session = driver.transaction(), Session(connection, driver)
            try:
                await transaction.start()
                yield session
                await transaction.commit()
            except BaseException as error:
                undone = False
                try:
                    undone = not driver.is_closed() and not isinstance(error, IN_DOUBT) and await _undone(transaction)
                finally:
                    if not undone:
                        await connection.invalidate()
                if isinstance(error, DRIVERS_ERRORS):
                    raise as_sqlalchemy(error, "BEGIN or COMMIT") from error
                raise
            finally:
                if session.identity_map or session.new:
                    session.expunge_all()  # its objects outlive it, and may be given to another

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


async def _undone(transaction: "asyncpg.transaction.Transaction") -> bool:
    try:
        await transaction.rollback()
    except (*DRIVERS_ERRORS, OSError, TimeoutError):
        return False
    return True


def _hang_up(connection: AdaptedConnection, _record: object, _error: BaseException | None) -> None:
    # SQLAlchemy takes its leave of the server first, which costs two seconds more where that does not answer.
    connection.driver_connection.terminate()


def passes(error: BaseException) -> bool:
    """Tell whether a failure is of the database or the network, so that the same attempt may succeed later."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        if state is None and _is_bad_value(error):
            return False
        if state is None:
            return error.connection_invalidated or isinstance(error, OF_THE_DRIVER) or _is_network(error.orig)
        return str(state).startswith(PASSING_STATES)
    return isinstance(error, PoolTimeoutError) or _is_network(error)


def _is_bad_value(error: DBAPIError) -> bool:
    # asyncpg counts a value that does not go into its column among the errors of its interface; it never will.
    return isinstance(error.orig, ValueError) or isinstance(error.orig and error.orig.__cause__, ValueError)


def _is_network(error: BaseException | None) -> bool:
    # asyncio reports several failed addresses as a plain OSError; its other subclasses (a file that is missing) stay.
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror) or type(error) is OSError
