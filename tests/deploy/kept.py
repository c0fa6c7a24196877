"""What a stack keeps: in its databases, on its streams, in its mailbox; and whether all of it has arrived."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.kafka.services import FOLLOWERS
from shared.events.topics import OWN, SERVICES, dead_letters
from tests.deploy.running import Up, until
from tests.system.people import Person

KEPT = {
    "catalogue": ("workshops",),
    "registration": ("workshops", "joining", "seats", "people", "organisations", "enrolments"),
    "notifications": ("workshops", "joining", "seats", "people", "enrolments", "windows"),
}
"""What each service owns, and what it has copied from others."""

NOTICES = "SELECT event_id, rule, recipient FROM notices ORDER BY 1, 2, 3"


async def state(databases: Mapping[str, str]) -> dict[str, list[str]]:
    """Give what the services keep, and whom they owe a notice."""
    found: dict[str, list[str]] = {}
    for service, url in databases.items():
        connection = await asyncpg.connect(url)
        for table in KEPT[service]:
            rows = await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")  # noqa: S608 - named above
            found[f"{service}.{table}"] = [row[0] for row in rows]
        if service == "notifications":
            found["notices"] = [str(tuple(row)) for row in await connection.fetch(NOTICES)]
        await connection.close()
    return found


async def newest(servers: str) -> dict[tuple[str, bytes], bytes]:
    """Give the newest record of each key on each of our streams, but the dead letters."""
    names = [topic.name for service in SERVICES for topic in OWN[service] if topic != dead_letters(service)]
    async with Reader(servers) as reader:
        partitions = await reader.partitions(names)
        reader.consumer.assign(partitions)
        ends = await reader.consumer.end_offsets(partitions)
        await reader.consumer.seek_to_beginning(*partitions)
        found: dict[tuple[str, bytes], bytes] = {}
        while [each for each in partitions if await reader.consumer.position(each) < ends[each]]:
            for batch in (await reader.consumer.getmany(timeout_ms=200)).values():
                found |= {(record.topic, record.key): record.value for record in batch}
        return found


async def all_was_taken(shown: Mapping[str, Any]) -> bool:
    """Tell whether everything is sent, and every consumer has acknowledged what there is."""
    for url in shown["databases"].values():
        connection = await asyncpg.connect(url)
        waits = await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused IS NULL")
        await connection.close()
        if waits:
            return False
    for service in SERVICES:
        for subscription in FOLLOWERS[service].subscriptions:
            if subscription.inbound:
                continue
            async with Reader(shown["kafka"], subscription.group) as reader:
                partitions = await reader.partitions([topic.name for topic in subscription.topics])
                ends = await reader.consumer.end_offsets(partitions)
                for each in partitions:
                    if (await reader.consumer.committed(each) or 0) < ends[each]:
                        return False
    return True


class Reader:
    """A consumer that joins no group, and sees what a group has acknowledged."""

    def __init__(self, servers: str, group: str | None = None) -> None:
        # From the earliest: a consumer that begins at the latest goes there even after it was sent to the beginning.
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
        )

    async def __aenter__(self) -> Self:
        await self.consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.consumer.stop()

    async def partitions(self, names: list[str]) -> list[TopicPartition]:
        known = {topic.name: topic.partitions for service in SERVICES for topic in OWN[service]}
        return [TopicPartition(name, number) for name in names for number in range(known[name])]


async def topics(servers: str) -> set[str]:
    """Name the topics that there are."""
    async with Reader(servers) as reader:
        return set(await reader.consumer.topics())


def taken(stack: Up) -> None:
    until(lambda: asyncio.run(all_was_taken(stack.shown())))


def mails_to(stack: Up, person: Person) -> int:
    mails = httpx.get(f"{stack.shown()['url']}/mailbox.json").json()
    return len([mail for mail in mails if mail["to"] == person.address])
