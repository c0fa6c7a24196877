"""Processes of a service that tend its waiting place at the same time."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from shared.database import Database, Transaction
from shared.events.registration import OrganisationRegistered
from shared.messaging import parking
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Envelope
from tests.transport.conftest import Effects, Rig, record_of, subscription_of, unknown


class Interrupted:
    """A process's database, with something that happens elsewhere before its transaction of a number."""

    def __init__(self, database: Database, number: int, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._database, self._left, self._meanwhile = database, number, meanwhile

    @asynccontextmanager
    async def transaction(self, now: datetime, cause: Envelope | None = None) -> AsyncIterator[Transaction]:
        self._left -= 1
        if not self._left:
            await self._meanwhile()
        async with self._database.transaction(now, cause) as tx:
            yield tx


class _Undone(Exception):  # noqa: N818 - it undoes a transaction
    pass


async def test_each_event_has_its_effect_once_and_each_key_its_order(rig: Rig) -> None:
    keys = [uuid4() for _ in range(5)]
    names = [(key, f"{number}-{step}") for step in range(4) for number, key in enumerate(keys)]
    rig.effects.faults = {name: unknown() for _, name in names}
    await rig.consumer.take([record_of(name, key, step + 1) for step, (key, name) in enumerate(names)])
    assert await rig.names() == []

    rig.effects.faults.clear()
    rig.clock.forward(timedelta(seconds=1))
    while await rig.rows("SELECT 1 FROM parked"):
        await asyncio.gather(*(Consumer(rig.consumer.subscription, rig.database, rig.clock).tend() for _ in range(4)))

    had: dict[str, list[str]] = defaultdict(list)
    for name in await rig.names():
        had[name.partition("-")[0]].append(name)
    assert had == {str(number): [f"{number}-{step}" for step in range(4)] for number in range(len(keys))}


async def test_what_another_process_has_just_now_is_passed_over(rig: Rig) -> None:
    rig.effects.faults = {"held": unknown(), "free": unknown()}
    await rig.consumer.take([record_of("held", uuid4()), record_of("free", uuid4())])
    rig.effects.faults.clear()
    rig.clock.forward(timedelta(seconds=1))
    name = rig.consumer.subscription.name

    with suppress(_Undone):
        async with rig.database.transaction(rig.clock()) as elsewhere:
            held = await parking.next_due(elsewhere.session, name, 0, elsewhere.now)
            assert held is not None
            assert await parking.release(elsewhere.session, held, name, elsewhere.now)
            await rig.consumer.tend()
            assert await rig.names() == ["free"]
            raise _Undone

    await rig.consumer.tend()
    assert await rig.names() == ["free", "held"]


async def test_who_tried_it_too_early_does_not_say_that_it_waits_when_another_had_its_effect(rig: Rig) -> None:
    rig.effects.faults["late"] = unknown()
    await rig.consumer.take([record_of("late", uuid4())])
    rig.effects.faults.clear()
    rig.clock.forward(timedelta(seconds=1))
    too_early = subscription_of(Effects({"late": unknown()}), OrganisationRegistered.topic)
    settling = 3  # after what looks, and what tries
    database = cast("Database", Interrupted(rig.database, settling, rig.consumer.tend))

    await Consumer(too_early, database, rig.clock).tend()

    assert await rig.names() == ["late"]
    assert await rig.outcomes() == [("done", None)]


async def test_of_two_that_tried_it_too_early_one_puts_it_off(rig: Rig) -> None:
    rig.effects.faults["early"] = unknown()
    await rig.consumer.take([record_of("early", uuid4())])
    rig.clock.forward(timedelta(seconds=1))
    settling = 3
    database = cast("Database", Interrupted(rig.database, settling, rig.consumer.tend))

    await Consumer(rig.consumer.subscription, database, rig.clock).tend()

    assert [row.attempts for row in await rig.rows("SELECT attempts FROM parked")] == [2]
