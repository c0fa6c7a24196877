"""People who enrol one after the other for as long as a block lasts, each as a careful client does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.compose.deployed import Deployed
from tests.system.people import Person, request
from tests.system.stack import Enrolled, Workshop

AT_ONCE = 2
PAUSE = 0.25
EVERY = 4.0
"""Seconds between two groups: longer than the front door keeps a connection that nobody needs."""
CLIENTS_PATIENCE = 30.0
"""How long a client asks again, with the same key and body, before it tells its person that it did not work."""
HARMLESS = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


@dataclass
class Load:
    """What was accepted so far, by person; how often somebody had to ask again, and for how many seconds at most."""

    stack: Deployed
    offered: Workshop
    accepted: dict[str, Enrolled] = field(default_factory=dict)
    again: int = 0
    longest: float = 0.0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def another(self, number: int) -> None:
        """Wait until so many more have been accepted."""
        goal = len(self.accepted) + number
        async with self._more:
            await self._more.wait_for(lambda: len(self.accepted) >= goal)

    async def keep_on(self, over: asyncio.Event) -> None:
        """Enrol one person after the other; raises TimeoutError where one was in vain."""
        while not over.is_set():
            await self._one()
            await asyncio.sleep(PAUSE)  # the load is a steady one, not all that the machine can bear

    async def in_groups(self, size: int, over: asyncio.Event) -> None:
        """Enrol so many at once now and then: for them the front door opens connections that it has not had before."""
        while not over.is_set():
            async with asyncio.TaskGroup() as group:
                for _ in range(size):
                    group.create_task(self._one())
            await asyncio.sleep(EVERY)  # likewise

    async def _one(self) -> None:
        person = Person()
        async with asyncio.timeout(CLIENTS_PATIENCE):
            await self._answered("GET", f"/workshops/{self.offered.slug}")
        async with asyncio.timeout(CLIENTS_PATIENCE):
            enrolled = await self._enrol(person)
        async with self._more:
            self.accepted[person.address] = enrolled
            self._more.notify_all()

    async def _enrol(self, person: Person) -> Enrolled:
        body, headers = request(str(self.offered.id), person), {"Idempotency-Key": str(uuid4())}
        answer = await self._answered("POST", "/api/registration/enrolments", json=body, headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return Enrolled.model_validate_json(answer.content)

    async def _answered(self, method: str, path: str, **what: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        since = time.monotonic()
        while True:
            try:
                answer = await self.stack.http.request(method, path, **what)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in HARMLESS:
                self.longest = max(self.longest, time.monotonic() - since)
                assert answer.is_success, answer.text
                return answer
            self.again += 1
            await asyncio.sleep(PAUSE)  # a client's pause between two attempts


@asynccontextmanager
async def under_load(stack: Deployed, offered: Workshop, groups_of: int = 0) -> AsyncIterator[Load]:
    """Have people read the workshop's page and enrol until the block ends; fails with the first who cannot."""
    load, over = Load(stack, offered), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(load.keep_on(over))
        if groups_of:
            group.create_task(load.in_groups(groups_of, over))
        try:
            yield load
        finally:
            over.set()
