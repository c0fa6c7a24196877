"""People who enrol one after the other for as long as a block lasts, each as a careful client does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.compose.deployed import Deployed
from tests.system.people import Person, request
from tests.system.stack import Enrolled, Workshop

AT_ONCE = 2
PAUSE = 0.25
CLIENTS_PATIENCE = 30.0
"""How long a client asks again, with the same key and body, before it tells its person that it did not work."""
HARMLESS = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


@dataclass
class Load:
    """What was accepted so far, by person, and how often somebody had to ask again."""

    stack: Deployed
    offered: Workshop
    accepted: dict[str, Enrolled] = field(default_factory=dict)
    again: int = 0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def another(self, number: int) -> None:
        """Wait until so many more have been accepted."""
        goal = len(self.accepted) + number
        async with self._more:
            await self._more.wait_for(lambda: len(self.accepted) >= goal)

    async def keep_on(self, over: asyncio.Event) -> None:
        """Enrol one person after the other; raises TimeoutError where one was in vain."""
        while not over.is_set():
            person = Person()
            async with asyncio.timeout(CLIENTS_PATIENCE):
                enrolled = await self._enrol(person, str(uuid4()))
            async with self._more:
                self.accepted[person.address] = enrolled
                self._more.notify_all()
            await asyncio.sleep(PAUSE)  # the load is a steady one, not all that the machine can bear

    async def _enrol(self, person: Person, key: str) -> Enrolled:
        body, headers = request(str(self.offered.id), person), {"Idempotency-Key": key}
        while True:
            try:
                answer = await self.stack.http.post("/api/registration/enrolments", json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in HARMLESS:
                assert answer.status_code == httpx.codes.CREATED, answer.text
                return Enrolled.model_validate_json(answer.content)
            self.again += 1
            await asyncio.sleep(PAUSE)  # a client's pause between two attempts


@asynccontextmanager
async def under_load(stack: Deployed, offered: Workshop) -> AsyncIterator[Load]:
    """Have people enrol until the block ends; fails with the first of them who is not accepted."""
    load, over = Load(stack, offered), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(load.keep_on(over))
        try:
            yield load
        finally:
            over.set()
