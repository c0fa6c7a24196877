"""The limit of the bus: the same reads, rows and sends as ours by bare aiokafka and asyncpg, and nothing that is ours.

Consumes, decides, writes set-wise and sends from the outbox, until it is stopped. No envelope is checked, no policy
kept, no failure dealt with.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuids
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic_core import from_json

from tests.bench.programs import rows
from tests.bench.programs.rows import Outbox

MOST_RECORDS = 1000


async def main(kafka: str, database: str, topic: str) -> None:
    """Run until killed, with as many connections as ours: one that decides, one that sends."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        group_id="bare",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=40,
        session_timeout_ms=2000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    connection = await asyncpg.connect(database)
    woken = asyncio.Event()
    relay = asyncio.create_task(_relay(kafka, database, woken))
    while not relay.done():
        batches = await consumer.getmany(timeout_ms=1000, max_records=MOST_RECORDS)
        records = [record for batch in batches.values() for record in batch]
        if records:
            async with connection.transaction():
                await _take(connection, records)
            woken.set()
            await consumer.commit()


async def _take(connection: "asyncpg.Connection[asyncpg.Record]", records: Sequence[Any]) -> None:
    now = datetime.now(UTC)
    identities = []
    for record in records:
        headers = dict(record.headers)
        identities.append((headers["ce_source"].decode(), headers["ce_id"].decode()))
    ordered = sorted(set(identities))
    sources, ids = [source for source, _ in ordered], [id_ for _, id_ in ordered]
    fresh = {(row[0], row[1]) for row in await connection.fetch(rows.INBOX, sources, ids, now)}
    await connection.fetch(rows.PUBLISHERS, ["bench"])
    await connection.fetch(rows.PARKED, [each.topic for each in records], [each.key for each in records])
    asked = [from_json(record.value) for record, identity in zip(records, identities, strict=True) if identity in fresh]
    workshops = {UUID(each["workshop_id"]) for each in asked}
    seats = {row["workshop_id"]: row for row in await connection.fetch(rows.LOCK, workshops)}
    await connection.fetch(rows.RULES, workshops)
    emails = [each["person"]["email"].casefold() for each in asked]
    people = {row["identity"]: row["person_id"] for row in await connection.fetch(rows.KNOWN_PEOPLE, emails, workshops)}
    outbox = Outbox(now)
    names = {each["organisation"]["name"] for each in asked}
    organisations = await _organisations(connection, names, outbox)
    taken = Counter[UUID]()
    new_people: list[tuple[UUID, str, str, UUID]] = []
    enrolments: list[tuple[UUID, UUID, UUID, UUID]] = []
    for each, email in zip(asked, emails, strict=True):
        workshop = UUID(each["workshop_id"])
        count = seats[workshop]
        if count["confirmed"] + count["offered"] + taken[workshop] >= count["capacity"] or email in people:
            continue
        taken[workshop] += 1
        organisation = organisations[each["organisation"]["name"]]
        person = people[email] = uuids.uuid7()
        new_people.append((person, email, each["person"]["name"], organisation))
        enrolments.append((uuids.uuid7(), workshop, person, organisation))
    await connection.fetch(
        rows.ADD_PEOPLE,
        [each[0] for each in new_people],
        [each[1] for each in new_people],
        [each[1] for each in new_people],
        [each[2] for each in new_people],
        [each[3] for each in new_people],
        now,
    )
    for person, email, name, organisation in new_people:
        outbox.person(person, name, email, organisation)
    added = await connection.fetch(
        rows.ADD_ENROLMENTS, *([each[column] for each in enrolments] for column in range(4)), now
    )
    numbers = {row["enrolment_id"]: row["number"] for row in added}
    for one in enrolments:
        outbox.enrolment(*one, numbers[one[0]])
    await connection.execute(rows.CHANGE_SEATS, list(taken), list(taken.values()))
    for workshop, more in taken.items():
        count = seats[workshop]
        outbox.seats(workshop, count["capacity"], count["confirmed"] + more, count["sequence"] + 1)
    await outbox.write(connection)


async def _organisations(
    connection: "asyncpg.Connection[asyncpg.Record]", names: set[str], outbox: Outbox
) -> dict[str, UUID]:
    identities = {f"city:ES:{name.casefold()}": name for name in names}
    rows_known = await connection.fetch(rows.KNOWN_ORGANISATIONS, list(identities))
    known = {row["identity"]: row["organisation_id"] for row in rows_known}
    found = {identities[identity]: id_ for identity, id_ in known.items()}
    new = {name: uuids.uuid7() for identity, name in identities.items() if identity not in known}
    if new:
        keys = [f"city:ES:{name.casefold()}" for name in new]
        await connection.fetch(rows.ADD_ORGANISATIONS, list(new.values()), keys, list(new), outbox.now)
        for name, id_ in new.items():
            outbox.organisation(id_, name)
    return found | new


async def _relay(kafka: str, database: str, woken: asyncio.Event) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_batch_size=262_144)
    await producer.start()
    connection = await asyncpg.connect(database)
    while True:
        woken.clear()
        waiting = await connection.fetch(rows.WAITING)
        if not waiting:
            await woken.wait()
            continue
        arrivals = [
            await producer.send(row["topic"], row["payload"], row["key"], headers=rows.headers_of(row["headers"]))
            for row in waiting
        ]
        await asyncio.gather(*arrivals)
        await connection.execute(rows.MARK, [row["id"] for row in waiting])


if __name__ == "__main__":
    uvloop.run(main(**json.loads(sys.argv[1])))
