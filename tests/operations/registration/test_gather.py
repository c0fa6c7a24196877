"""Callers that come at about the same time are served together, and none pays for another."""

import asyncio
from collections.abc import Sequence

import pytest

from services.registration import gather
from services.registration.gather import Gatherer


class Counter:
    """Doubles numbers, and remembers in what batches they came."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        """Double; -1 is a bug, and nothing is doubled while the database is away."""
        self.batches.append(list(numbers))
        self.begun.set()
        await self.gate.wait()
        if self.away:
            raise ConnectionRefusedError
        if -1 in numbers:
            raise ValueError(-1)
        return [2 * number for number in numbers]


async def test_who_comes_together_is_decided_together_in_order() -> None:
    counter = Counter()
    gatherer = Gatherer(counter)
    assert await asyncio.gather(*(gatherer.ask(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert counter.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_a_batch_is_in_flight_makes_the_next() -> None:
    counter = Counter()
    counter.gate.clear()
    gatherer = Gatherer(counter)
    first = asyncio.create_task(gatherer.ask(1))
    await counter.begun.wait()
    others = [asyncio.create_task(gatherer.ask(number)) for number in range(2, 2 + gather.MOST_TOGETHER + 3)]
    await asyncio.sleep(0)
    counter.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in counter.batches] == [1, gather.MOST_TOGETHER, 3]


async def test_a_bug_in_one_is_told_to_that_one_alone() -> None:
    counter = Counter()
    gatherer = Gatherer(counter)
    answers = await asyncio.gather(*(gatherer.ask(number) for number in (1, -1, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, ValueError, int]
    assert counter.batches == [[1, -1, 3], [1], [-1], [3]]


async def test_when_the_database_is_away_everyone_hears_it_and_the_next_start_anew() -> None:
    counter = Counter()
    counter.away = True
    counter.gate.clear()
    gatherer = Gatherer(counter)
    first = asyncio.create_task(gatherer.ask(1))
    await counter.begun.wait()
    second = asyncio.create_task(gatherer.ask(2))
    await asyncio.sleep(0)
    counter.gate.set()
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionRefusedError] * 2
    assert counter.batches == [[1]]
    counter.away = False
    assert await gatherer.ask(3) == 6


async def test_who_has_gone_before_the_batch_is_not_asked_for() -> None:
    counter = Counter()
    gatherer = Gatherer(counter)
    gone = asyncio.create_task(gatherer.ask(1))
    stays = asyncio.create_task(gatherer.ask(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 4
    assert counter.batches == [[2]]


async def test_who_waits_too_long_is_told_in_time() -> None:
    counter = Counter()
    counter.gate.clear()
    with pytest.raises(TimeoutError):
        await Gatherer(counter, seconds_to_answer=0.01).ask(1)
    counter.gate.set()
