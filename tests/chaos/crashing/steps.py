"""What a process says to the outside, step by step; it can be made to die just before one of them."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import aiokafka
import asyncpg
from aiosmtplib.protocol import SMTPProtocol
from asyncpg.prepared_stmt import PreparedStatement

LONGEST_NAME = 60
END_OF_MAIL = b"\r\n.\r\n"
NOISE = re.compile(
    r"pg_catalog|^show |^BEGIN|^ROLLBACK|^SELECT 1$|^SELECT DISTINCT consumer FROM parked|^SELECT .* FROM replays"
    r"|^SELECT .*count\(\*\).* AS (waiting|refused|open)\b"
)
"""Statements by which drivers get to know a server, and what is asked all the time, with the brackets around it."""


class Steps:
    """Counts the steps of this process and tells each to `told`; before the one called `fatal` it kills itself.

    It stands between the process and the libraries that it speaks through, so that what runs is the real code.
    """

    def __init__(self, told: "Connection[str, str]", fatal: str | None) -> None:
        self._told = told
        self._fatal = fatal
        self._counts: Counter[str] = Counter()
        self.acknowledged = asyncio.Event()
        """Set when offsets have been committed for the first time."""

    def reach(self, name: str) -> None:
        """Come to a step: the next thing that happens is `name`, unless this is the end."""
        self._counts[name] += 1
        step = name if self._counts[name] == 1 else f"{name} #{self._counts[name]}"
        self._told.send(step)
        if step == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Stand before the database, the broker and the mail server."""
        for method in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            self._before(asyncpg.Connection, method, lambda _, query, *__: statement(query))
        self._before(PreparedStatement, "fetch", lambda prepared, *_: statement(prepared.get_query()))
        self._before(aiokafka.AIOKafkaProducer, "start", lambda *_: "connect a producer")
        self._before(aiokafka.AIOKafkaProducer, "send_batch", lambda *_: "hand over a batch")
        self._before(aiokafka.AIOKafkaConsumer, "commit", lambda *_: "commit offsets", self.acknowledged.set)
        self._before_mail_is_spoken_of()

    def _before(
        self,
        library: type,
        method: str,
        name_of: Callable[..., str | None],
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        original: Callable[..., Awaitable[Any]] = getattr(library, method)

        async def stepped(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the library takes and gives
            if name := name_of(*arguments):
                self.reach(name)
            answer = await original(*arguments, **named)
            afterwards()
            return answer

        setattr(library, method, stepped)

    def _before_mail_is_spoken_of(self) -> None:
        original = SMTPProtocol.write

        def write(protocol: SMTPProtocol, data: bytes) -> None:
            self.reach("SMTP the mail itself" if data.endswith(END_OF_MAIL) else f"SMTP {data.split()[0].decode()}")
            original(protocol, data)

        setattr(SMTPProtocol, original.__name__, write)


def statement(query: str) -> str | None:
    """Name a statement by its beginning; None for noise."""
    plain = " ".join(query.split()).rstrip(";")
    return None if NOISE.search(plain) else plain[:LONGEST_NAME]
