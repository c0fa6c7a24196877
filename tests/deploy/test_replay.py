"""A broker that lost everything is filled again, by itself and by `convoca events replay`; nobody is told twice."""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.embedded.folder import SERVICES
from deploy.kafka.services import FOLLOWERS
from shared.events.topics import OWN, dead_letters
from tests.deploy.conftest import Command
from tests.deploy.running import Up, convoca, convoca_here, status, until
from tests.system.offers import workshop
from tests.system.people import Person, request

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
            async with Reader(shown["kafka"], subscription.name) as reader:
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


def replay(command: Command, *options: str) -> dict[str, Any]:
    code, out, said = command("events", "replay", "--json", *options)
    assert code == 0, said
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.fixture(scope="module")
def person(stack: Up) -> Person:
    """Enrol somebody in a workshop, who then has a mail."""
    url, who = stack.shown()["url"], Person("Neus")
    made = convoca("token", "create", "--scope", "staff", "--name", "replay", folder=stack.folder)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {made.stdout.strip()}"}) as staff:
        one = staff.post("/api/catalogue/workshops", json=workshop()).raise_for_status().json()
        staff.post(f"/api/catalogue/workshops/{one['id']}/schedule").raise_for_status()
        until(lambda: staff.get(f"/api/registration/workshops/{one['id']}/seats").status_code == httpx.codes.OK)
        staff.post("/api/registration/enrolments", json=request(one["id"], who)).raise_for_status()
    until(lambda: mails_to(stack, who) == 1)
    taken(stack)
    return who


def test_a_broker_that_lost_everything_is_filled_again_and_nobody_is_told_twice(stack: Up, person: Person) -> None:
    shown = stack.shown()
    kept, lay = asyncio.run(state(shown["databases"])), asyncio.run(newest(shown["kafka"]))
    assert kept["notifications.enrolments"]
    assert lay
    psutil.Process(shown["processes"]["broker"]).kill()
    until(lambda: all(stack.shown()["processes"][name] != shown["processes"][name] for name in ("broker", *SERVICES)))
    for service in SERVICES:
        until(partial(_is_ready, shown["url"], service))
    taken(stack)
    assert asyncio.run(topics(shown["kafka"])) >= {topic.name for own in OWN.values() for topic in own}
    assert asyncio.run(newest(shown["kafka"])) == lay
    assert asyncio.run(state(shown["databases"])) == kept
    assert mails_to(stack, person) == 1


def _is_ready(url: str, service: str) -> bool:
    return status(f"{url}/api/{service}/health/ready") == httpx.codes.OK


def test_a_replay_sends_what_it_has_counted_and_nobody_is_told_twice(
    stack: Up, command: Command, person: Person
) -> None:
    shown = stack.shown()
    kept, lay = asyncio.run(state(shown["databases"])), asyncio.run(newest(shown["kafka"]))
    for service, topic in (("registration", None), ("catalogue", "catalogue.workshops"), ("notifications", None)):
        asked = ("--service", service, *(("--topic", topic) if topic else ()))
        counted = replay(command, *asked, "--dry-run")
        assert counted["messages"] > 0
        done = replay(command, *asked)
        assert done == {**counted, "dry_run": False}
    taken(stack)
    assert asyncio.run(newest(shown["kafka"])) == lay
    assert asyncio.run(state(shown["databases"])) == kept
    assert mails_to(stack, person) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--since", "yesterday"),
        ("--since", "2999-01-01"),
        ("--since", "0001-01-01T00:00:00+14:00"),
        ("--topic", "registration.people"),
        ("--topic", "dead-letters.catalogue"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_and_one_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    asked = ("events", "replay", "--service", "catalogue", *wrong)
    code, out, said = convoca_here(monkeypatch, *asked, folder=tmp_path)
    assert (code, out) == (2, "")
    [line] = said.splitlines()
    assert wrong[1] in line
