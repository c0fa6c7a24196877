"""Gauges are read beside the service, and say that they do not know when they do not."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from sqlalchemy import text

from services.notifications.repository import depths as notices
from shared.messaging import depths
from shared.observability.watch import Reading, Watch
from tests.conftest import MakeDatabase
from tests.waiting import eventually


@asynccontextmanager
async def running(*readings: Reading) -> AsyncIterator[None]:
    task = asyncio.create_task(Watch(*readings, every=0.01).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_gauge_that_cannot_be_read_says_so_and_is_read_again() -> None:
    registry = CollectorRegistry()
    plain, labelled = Gauge("plain", "x", registry=registry), Gauge("labelled", "x", ["a"], registry=registry)
    works = True

    async def read() -> None:
        if not works:
            raise ConnectionRefusedError
        plain.set(7)
        labelled.labels("b").set(7)

    async def known() -> bool:
        return registry.get_sample_value("plain") == 7

    async def unknown() -> bool:
        return math.isnan(registry.get_sample_value("plain") or 0.0)

    async with running(Reading("test", read, [plain], [labelled])):
        await eventually(known, "the gauge to be read")
        works = False
        await eventually(unknown, "the gauge to be unknown")
        assert registry.get_sample_value("labelled", {"a": "b"}) is None
        works = True
        await eventually(known, "the gauge to be read again")


async def test_a_source_that_hangs_keeps_no_other_from_being_read() -> None:
    read = asyncio.Event()

    async def hang() -> None:
        await asyncio.Event().wait()

    async def note() -> None:
        read.set()

    async with running(Reading("hanging", hang), Reading("other", note)):
        async with asyncio.timeout(30):
            await read.wait()


async def test_what_waits_in_the_database_is_counted_with_its_age(database: MakeDatabase) -> None:
    opened = await database("notifications")
    outbox = "INSERT INTO outbox (event_id, topic, type, headers, created_at, published_at, refused) VALUES "
    async with opened.engine.begin() as connection:
        await connection.execute(
            text(
                outbox + "('a', 't', 'x', '', now() - interval '1 hour', NULL, NULL),"
                "('b', 't', 'x', '', now(), NULL, NULL), ('c', 't', 'x', '', now() - interval '1 day', now(), NULL),"
                "('d', 't', 'x', '', now() - interval '1 day', NULL, 'MessageSizeTooLargeError')"
            )
        )
        await connection.execute(
            text(
                'INSERT INTO parked (consumer, topic, partition, "offset", headers, reason, attempts, parked_at,'
                " due_at) VALUES ('one', 't', 0, 1, '', 'x', 1, now() - interval '1 minute', now())"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO dead_letters (consumer, source, event_id, reason, detail, topic, partition,"
                ' "offset", headers, attempts, at, state) VALUES'
                " ('one', 's', 'a', 'invalid', '', 't', 0, 1, '', 1, now(), 'open')"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO notices (notice_id, event_id, rule, recipient, channel, state, due_at, created_at) VALUES"
                " (gen_random_uuid(), 'a', 'r', 'p', 'email', 'owed', now() - interval '2 minutes', now()),"
                " (gen_random_uuid(), 'b', 'r', 'p', 'email', 'owed', now() + interval '1 hour', now())"
            )
        )
        await depths.read(connection)
        await notices.read(connection)
    assert value("convoca_outbox_messages") == 2
    assert 3600 <= value("convoca_outbox_oldest_seconds") < 7200
    assert value("convoca_outbox_set_aside") == 1
    assert value("convoca_parked_events", consumer="one") == 1
    assert 60 <= value("convoca_parked_oldest_seconds", consumer="one") < 3600
    assert value("convoca_dead_letters_open", reason="invalid") == 1
    assert value("convoca_notices_owed") == 1
    assert 120 <= value("convoca_notices_oldest_due_seconds") < 3600
    async with opened.engine.begin() as connection:
        await connection.execute(text("DELETE FROM parked"))
        await depths.read(connection)
    assert REGISTRY.get_sample_value("convoca_parked_events", {"consumer": "one"}) is None


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None
    return found
