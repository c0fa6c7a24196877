"""Callers that come within a moment of each other are served together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from shared.database import passes
from shared.observability import apart

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

SECONDS_TO_GATHER = 0.001
MOST_TOGETHER = 200
SECONDS_TO_ANSWER = 4.0
"""Below what a request may take in all, lest its place in the batch outlive it."""


class Gatherer(Generic[Asked, Answer]):
    """Hands what is asked at about the same time to `decide` as one batch, in the order in which it came.

    One batch is in flight at a time; what comes meanwhile makes the next, so that the batches grow with the rush.
    A batch that fails by a bug is tried again one by one: each caller gets only the failure that is their own.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]],
        *,
        seconds_to_answer: float = SECONDS_TO_ANSWER,
    ) -> None:
        self._decide = decide
        self._seconds_to_answer = seconds_to_answer
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """Wait for the answer; raises what deciding raised, TimeoutError where it takes too long.

        After a TimeoutError it may have been decided or may yet be; who gave up waiting before that is left out.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, future))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve(), name="gatherer", context=apart())
        late = loop.call_later(self._seconds_to_answer, _fail, [(asked, future)], TimeoutError())
        try:
            return await future
        finally:
            late.cancel()

    async def _serve(self) -> None:
        await asyncio.sleep(SECONDS_TO_GATHER)
        while batch := self._next():
            try:
                await self._answer(batch)
            except Exception as error:  # noqa: BLE001 - told to those who wait, each of whom deals with it
                # What passes has struck the database: whoever waits behind would wait as long for the same.
                _fail([*batch, *self._waiting], error)
                self._waiting.clear()
            except BaseException:
                _fail([*batch, *self._waiting], asyncio.CancelledError())
                raise

    def _next(self) -> list[tuple[Asked, "asyncio.Future[Answer]"]]:
        batch: list[tuple[Asked, asyncio.Future[Answer]]] = []
        while self._waiting and not batch:
            some = [self._waiting.popleft() for _ in islice(range(len(self._waiting)), MOST_TOGETHER)]
            batch = [(asked, future) for asked, future in some if not future.done()]
        return batch

    async def _answer(self, batch: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._decide([asked for asked, _ in batch])
        except Exception as error:
            if passes(error):
                raise
            if len(batch) == 1:
                _fail(batch, error)
                return
            for one in batch:
                await self._answer([one])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _fail(batch: Sequence[tuple[Asked, "asyncio.Future[Answer]"]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
