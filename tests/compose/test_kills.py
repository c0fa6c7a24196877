"""Each container is killed once while people enrol: it comes back by itself, and nothing that was accepted is lost."""

import asyncio
import time
from uuid import uuid4

import httpx
import pytest

from tests.compose.deployed import Deployed
from tests.compose.deployment import LASTING
from tests.system.offers import workshop
from tests.system.people import Person, request
from tests.system.stack import Workshop
from tests.waiting import eventually

PEOPLE = 12
PATIENCE = 180.0
PAUSE = 0.25


async def enrol(stack: Deployed, offered: Workshop, person: Person, key: str) -> None:
    """Ask until one is answered, as a careful client does: the same key and body each time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                answer = await stack.http.post(
                    "/api/registration/enrolments",
                    json=request(str(offered.id), person),
                    headers={"Idempotency-Key": key},
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                assert answer.status_code == httpx.codes.CREATED, answer.text
                return
            await asyncio.sleep(PAUSE)  # a client's pause between two attempts


async def all_healthy(stack: Deployed, killed: str, restarts: int) -> None:
    """Wait until what was killed is there again, and all others are well too."""
    wanted = {name: restarts if name == killed else 0 for name in LASTING}
    async with asyncio.timeout(PATIENCE):
        for name, times in wanted.items():
            while not await stack.deployment.healthy(name, times):  # noqa: ASYNC110 - it is the engine that is asked
                await asyncio.sleep(PAUSE)


@pytest.mark.parametrize("killed", LASTING)
async def test_a_container_that_dies_comes_back_and_nothing_is_lost(stack: Deployed, killed: str) -> None:
    offered = await stack.offer(workshop(seats={"in_person": 2 * PEOPLE}))
    before, during = ([Person() for _ in range(PEOPLE)] for _ in range(2))
    restarts = (await stack.deployment.inspect(killed))["RestartCount"]
    await asyncio.gather(*(enrol(stack, offered, each, str(uuid4())) for each in before))
    since = time.monotonic()
    await stack.deployment.kill(killed)
    await asyncio.gather(
        all_healthy(stack, killed, restarts + 1), *(enrol(stack, offered, each, str(uuid4())) for each in during)
    )
    stack.deployment.note(f"{killed} killed, until all is healthy", since)
    people = [*before, *during]

    async def all_told() -> bool:
        written_to = {mail.to for mail in await stack.mailbox()}
        return {each.address for each in people} <= written_to

    await eventually(all_told, "everybody to be written to")
    stack.deployment.note(f"{killed} killed, until everybody is written to", since)
    ids: dict[str, set[str]] = {}
    for mail in await stack.mailbox():
        ids.setdefault(mail.to, set()).add(mail.message_id)
    assert {each.address: len(ids[each.address]) for each in people} == {each.address: 1 for each in people}
    assert (await stack.seats(offered)).json()["in_person"]["confirmed"] == len(people)
