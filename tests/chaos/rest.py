"""When it is over: everything that was begun has come to its end, by itself, within a bound."""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TypeAlias

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.events.topics import ENROLMENTS, JOINING, PEOPLE, SEATS, SERVICES, WORKSHOPS
from tests.chaos.ledger import Ledger
from tests.chaos.world import World

MOST_SECONDS = 120.0
SECONDS_OF_QUIET = 0.6
EVERY = 0.1
FOLLOWED = {
    "registration": (WORKSHOPS, JOINING),
    "notifications": (WORKSHOPS, JOINING, PEOPLE, ENROLMENTS, SEATS),
}
INBOUND_REQUESTS = "registration.inbound.registration"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Left = Mapping[str, int]

_TO_SEND = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused IS NULL"
_WAITING = "SELECT count(*) FROM parked"
_OWED = """
    SELECT count(*) FROM notices
    WHERE claim IS NOT NULL
       OR state = 'owed' AND (rule <> 'staff.new-enrolments' OR due_at <= now() + interval '10 seconds')
"""
"""What is gathered for a quarter of an hour may be owed still; what a wrong clock has made due later may not."""
_TAKEN = "SELECT id FROM inbox WHERE consumer = $1 AND outcome NOT IN ('waiting', 'accepted')"


class NotDrained(Exception):  # noqa: N818 - a finding
    """Something did not come to its end within the bound; the text says what."""


async def comes(world: World, ledger: Ledger, answered: "asyncio.Task[None]", seconds: float = MOST_SECONDS) -> float:
    """Wait until all is at rest and answer how many seconds that took; raises NotDrained."""
    began = time.monotonic()
    left: Left = {}
    try:
        async with asyncio.timeout(seconds), AsyncExitStack() as at_end:
            await asyncio.shield(answered)
            databases = {name: await _connected(url, at_end) for name, url in world.databases.items()}
            http = await at_end.enter_async_context(httpx.AsyncClient(trust_env=False))
            quiet_since: float | None = None
            taken = math.nan
            while quiet_since is None or time.monotonic() - quiet_since < SECONDS_OF_QUIET:
                await asyncio.sleep(EVERY)
                before, looked = taken, time.monotonic()
                left = {what: number for what, number in (await _left(databases, ledger)).items() if number}
                left |= {f"{name} not ready": 1 for name, each in world.replicas.items() if not await each.ready()}
                taken = await _records_taken(world, http)
                if left or before != taken:
                    quiet_since = None
                elif quiet_since is None:
                    quiet_since = looked
    except TimeoutError:
        waiting = "requests without an answer" if not answered.done() else str(left or "consumers that never rest")
        message = f"after {seconds:.0f} s there are still {waiting}"
        raise NotDrained(message) from None
    return time.monotonic() - began


async def _left(databases: Mapping[str, Connection], ledger: Ledger) -> Left:
    """Count what has not come to its end, from the source down: what has passed one look is met by the next."""
    asked = {each.key for each in ledger.by_bus if each.accepted is not None}
    left = {"requests that were not taken": len(asked - await _taken(databases["registration"], INBOUND_REQUESTS))}
    for service in SERVICES:
        database = databases[service]
        for topic in FOLLOWED.get(service, ()):
            owner = databases[topic.name.partition(".")[0]]
            rows = await owner.fetch("SELECT event_id FROM outbox WHERE topic = $1", topic.name)
            behind = {row["event_id"] for row in rows} - await _taken(database, f"{service}.{topic.name}")
            left[f"messages on {topic.name} that {service} has not taken"] = len(behind)
        left[f"events that wait in {service}"] = await database.fetchval(_WAITING)
        if service == "notifications":
            left["notices that are owed"] = await database.fetchval(_OWED)
        left[f"messages that {service} has to send"] = await database.fetchval(_TO_SEND)
    return left


async def _taken(database: Connection, consumer: str) -> set[str]:
    return {row["id"] for row in await database.fetch(_TAKEN, consumer)}


async def _records_taken(world: World, http: httpx.AsyncClient) -> float:
    """Count the records that all consumers have taken since they started, those that came again too."""
    total = 0.0
    for each in world.replicas.values():
        try:
            answer = await http.get(f"{each.url}/api/{each.service}/metrics")
        except httpx.TransportError:
            return math.nan  # equal to nothing, itself neither
        families = text_string_to_metric_families(answer.text)
        samples = (sample for family in families for sample in family.samples)
        total += sum(sample.value for sample in samples if sample.name == "convoca_events_total")
    return total


async def _connected(url: str, at_end: AsyncExitStack) -> Connection:
    connection: Connection = await asyncpg.connect(url)
    at_end.push_async_callback(connection.close)
    return connection
