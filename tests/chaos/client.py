"""Careful clients: what was not answered, or not acknowledged, is sent again until it is, and nothing else is."""

import asyncio
import random
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.ledger import Ledger
from tests.chaos.world import World

SECONDS_FOR_AN_ANSWER = 10.0
SECONDS_TO_BE_ACKNOWLEDGED = 8.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
Headers = list[tuple[str, bytes]]


class Client:
    """Speaks HTTP with a service: with one replica, and after any failure with the other."""

    def __init__(self, world: World, ledger: Ledger, luck: random.Random) -> None:
        self._world = world
        self._ledger = ledger
        self._luck = luck
        self._http = httpx.AsyncClient(timeout=SECONDS_FOR_AN_ANSWER, trust_env=False)

    async def call(self, service: str, method: str, path: str, **others: Any) -> httpx.Response:  # noqa: ANN401
        """Ask until there is an answer that is no 5xx."""
        replicas, pause = self._world.of(service), FIRST_PAUSE
        turn = self._luck.randrange(len(replicas))
        while True:
            try:
                url = f"{replicas[turn % len(replicas)].url}/api/{service}{path}"
                answer = await self._http.request(method, url, **others)
            except httpx.TransportError:
                pass
            else:
                if not answer.is_server_error:
                    return answer
                if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
                    self._ledger.strange.append(f"{method} {path} was answered {answer.status_code}: {answer.text}")
            turn += 1
            self._ledger.tried_again += 1
            await asyncio.sleep(pause * self._luck.random())
            pause = min(pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Sender:
    """Writes to a stream, and knows only what the broker acknowledged."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._ledger = ledger
        self._producer = AIOKafkaProducer(
            bootstrap_servers=world.kafka, acks="all", request_timeout_ms=4000, metadata_max_age_ms=5000
        )

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def send(self, topic: str, key: bytes, value: bytes, headers: Headers) -> None:
        """Send until it is acknowledged."""
        while True:
            try:
                async with asyncio.timeout(SECONDS_TO_BE_ACKNOWLEDGED):
                    await self._producer.send_and_wait(topic, value, key, headers=headers)
            except (KafkaError, OSError, TimeoutError):
                self._ledger.tried_again += 1
                await asyncio.sleep(FIRST_PAUSE)
            else:
                return

    async def close(self) -> None:
        """Disconnect."""
        await self._producer.stop()
