"""The load of `mail-p50` and `mail-p99`: requests at a steady pace, and an SMTP server that notes when mails come."""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import deque
from typing import cast

import uvloop

from tests.bench import world
from tests.bench.programs.client import CREATED, Connection, Spans, connect

CONNECTIONS = 32
SECONDS_FOR_THE_LAST = 20.0
"""What has not come by then is counted as if it came then."""
RECIPIENT = re.compile(rb"rcpt to:<([^>]*)>", re.IGNORECASE)
Arrivals = dict[str, float]


class Sink(asyncio.Protocol):
    """Takes every mail, and notes of each recipient when the mail was there."""

    def __init__(self, arrivals: Arrivals, came: asyncio.Event) -> None:
        self._arrivals = arrivals
        self._came = came
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._recipient = ""
        self._reads_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self._transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        """Go through what has come."""
        self._received += data
        while True:
            mark = b"\r\n.\r\n" if self._reads_mail else b"\r\n"
            line, found, rest = self._received.partition(mark)
            if not found:
                return
            self._received = rest
            if self._reads_mail:
                self._arrivals.setdefault(self._recipient, time.perf_counter())
                self._came.set()
                self._reads_mail = False
                self._say(b"250 taken")
            else:
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"RCPT" and (named := RECIPIENT.match(line)):
            self._recipient = named[1].decode()
        self._reads_mail = word == b"DATA"
        answers = {b"DATA": b"354 go on", b"EHLO": b"250-bench\r\n250-8BITMIME\r\n250 SMTPUTF8", b"QUIT": b"221 bye"}
        self._say(answers.get(word, b"250 ok"))

    def _say(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer + b"\r\n")


async def main(port: int, smtp: int, rate: float, warm: float, seconds: float) -> None:
    """Ask `rate` times a second for `warm` + `seconds`; print how long after the answers the mails came."""
    arrivals: Arrivals = {}
    answered: Arrivals = {}
    came = asyncio.Event()
    server = await asyncio.get_running_loop().create_server(lambda: Sink(arrivals, came), "127.0.0.1", smtp)
    # Taken in turn, so that none rests until the service hangs up.
    resting = deque([await connect(port) for _ in range(CONNECTIONS)])
    refused = 0

    async def ask(connection: Connection, number: int) -> None:
        nonlocal refused
        status = await connection.post(world.body(number, world.WORKSHOPS, "mail"))
        if status == CREATED:
            answered[f"mail.{number}@example.org"] = time.perf_counter()
        else:
            refused += 1
        resting.append(connection)

    begin = time.perf_counter()
    asked: list[asyncio.Task[None]] = []
    for number in range(int(rate * (warm + seconds))):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        asked.append(asyncio.create_task(ask(resting.popleft() if resting else await connect(port), number)))
    await asyncio.gather(*asked)
    latest = time.perf_counter() + SECONDS_FOR_THE_LAST
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS_FOR_THE_LAST):
            while answered.keys() - arrivals.keys():
                came.clear()
                await came.wait()
    measured = [f"mail.{number}@example.org" for number in range(int(rate * warm), int(rate * (warm + seconds)))]
    missing = sum(each not in arrivals for each in measured)
    spans = Spans([max(0.0, arrivals.get(each, latest) - answered[each]) for each in measured if each in answered])
    answer = {"p50": spans.percentile(0.5), "p99": spans.percentile(0.99), "missing": missing, "refused": refused}
    sys.stdout.write(json.dumps(answer))
    server.close()


if __name__ == "__main__":
    uvloop.run(main(**json.load(sys.stdin)))
