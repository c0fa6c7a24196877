"""What is deleted is needed by nobody: whatever passes, is lost or is said again, an effect is had once."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sqlalchemy import text

from deploy.kafka.services import FOLLOWERS
from shared.database import Database
from shared.events.contract import every_shape, sample_files
from shared.events.topics import INCIDENTS, SERVICES, dead_letters
from shared.messaging import dead_letter_desk as desk
from shared.messaging import keeping, replay
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Outgoing, Record
from shared.messaging.pruning import BATCH, LOCK, Pruned, Pruning
from shared.messaging.replay import EVERYTHING
from tests.clock import HandClock
from tests.conftest import MakeDatabase, MakeUrl
from tests.transport.conftest import Rig, make_effects, record_of, unknown, with_headers
from tests.transport.years import DAY, HORIZON, PLAIN, TABLES, VERSIONED, Years

STEPS = some.one_of(
    some.tuples(some.just("say"), some.sampled_from([VERSIONED, PLAIN]), some.integers(1, 2)),
    some.tuples(some.just("pass"), some.sampled_from([1, 29, 31, 200, 375, 420])),
    some.tuples(some.just("say_again"), some.sampled_from([None, 2, 100, 1000])),
    *(some.tuples(some.just(step)) for step in ("send", "take", "forget_what_was_taken", "wipe", "prune")),
)
ALL_AGAIN = ("say_again", None)


@pytest_asyncio.fixture
async def years(database_url: MakeUrl) -> AsyncIterator[Years]:
    url = await database_url("registration")
    store, raw = Database(url, "registration"), await asyncpg.connect(url)
    await make_effects(store, HandClock())
    await raw.execute(TABLES)
    yield Years(store, raw)
    await raw.close()
    await store.close()


async def live(years: Years, steps: Sequence[tuple[object, ...]]) -> None:
    for name, *values in steps:
        if name == "pass":
            years.clock.forward(timedelta(days=int(str(values[0]))))
        elif asyncio.iscoroutine(done := getattr(years, str(name))(*values)):
            await done


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(STEPS, min_size=4, max_size=25))
@example([("say", PLAIN, 1), ("send",), ("take",), ("pass", 29), ALL_AGAIN, ("pass", 375), ("prune",), ("take",)])
@example([("say", VERSIONED, 1), ("send",), ("take",), ("pass", 420), ("prune",), ("wipe",), ALL_AGAIN, ("take",)])
@example([("say", PLAIN, 1), ("send",), ("take",), ("pass", 31), ("prune",), ALL_AGAIN, ("pass", 420), ("prune",)])
async def test_whatever_passes_an_effect_is_had_once_and_what_is_true_can_be_said_again(
    years: Years, steps: list[tuple[object, ...]]
) -> None:
    await years.raw.execute("TRUNCATE outbox, inbox, effects, versions")
    lived = Years(years.store, years.raw)
    await live(lived, [*steps, ("send",), ("take",), ("prune",), ("wipe",), ALL_AGAIN, ("take",)])
    effects = await lived.effects()
    assert len(effects) == len(set(effects))
    assert lived.due() <= set(effects)
    assert lived.due() <= lived.lies_on_streams()


@pytest.mark.parametrize("service", SERVICES)
async def test_every_handler_does_nothing_with_what_it_has_taken_even_when_the_inbox_has_forgotten_it(
    service: str, database: MakeDatabase, clock: HandClock
) -> None:
    """The newest of an aggregate is said again for ever; what has no version is not, and may count on the inbox."""
    store = await database(service)
    samples = {
        path.parents[1].name: path for shape in every_shape() for path in sample_files(shape) if path.stem == "whole"
    }
    given: list[tuple[Consumer, Record]] = []
    for subscription in FOLLOWERS[service].subscriptions:
        for number, kind in enumerate(subscription.events, start=1):
            if subscription.inbound:
                continue
            said = json.loads(samples[kind].read_bytes())
            if "sequence" not in said:
                assert set(subscription.topics) == set(INCIDENTS.values())
                continue
            said["sequence"] = str(number)
            record = Record(subscription.topics[0].name, 0, number, b"key", json.dumps(said).encode(), STRUCTURED)
            given.append((Consumer(subscription, store, clock), record))
    for consumer, record in given:
        await consumer.take([record])
    before = await everything(store)
    assert b"dead-letters" not in before
    async with store.transaction(clock()) as tx:
        await tx.session.execute(text("DELETE FROM inbox"))
    clock.forward(keeping.inbox_horizon(HORIZON))
    for consumer, record in given:
        await consumer.take([record])
    assert await everything(store) == before


STRUCTURED = (("content-type", b"application/cloudevents+json"),)


async def everything(store: Database) -> bytes:
    """Give all that a service's database holds, but the inbox."""
    tables = importlib.import_module(f"services.{store.service}.tables").Row.metadata.sorted_tables
    found = []
    async with store.transaction(HandClock()()) as tx:
        for table in tables:
            if table.name != "inbox":
                rows = await tx.session.execute(text(f"SELECT t::text FROM {table.name} t ORDER BY 1"))  # noqa: S608
                found += [f"{table.name} {row[0]}" for row in rows]
    return "\n".join(found).encode()


# What goes, and what stays.


async def pruned(rig: Rig) -> Pruned:
    return await Pruning(rig.database, rig.clock, HORIZON).prune()


async def lay(rig: Rig, topic: str, key: bytes | None, value: bytes | None, *, sent: bool = True) -> None:
    async with rig.database.transaction(rig.clock()) as tx:
        tx.forward(Outgoing(str(uuid4()), topic, key, "raw", (("ce_sequence", b"1"),), value))
    if sent:
        await change(rig, "UPDATE outbox SET published_at = created_at WHERE published_at IS NULL")


async def change(rig: Rig, statement: str) -> None:
    async with rig.database.transaction(rig.clock()) as tx:
        await tx.session.execute(text(statement))


async def outbox(rig: Rig) -> list[bytes | None]:
    return [row.payload for row in await rig.rows("SELECT payload FROM outbox ORDER BY id")]


async def test_the_newest_of_each_key_stays_and_what_is_not_sent(rig: Rig) -> None:
    for value in (b"1", b"2"):
        await lay(rig, "registration.seats", b"k", value)
    await lay(rig, "registration.seats", b"other", b"3")
    await lay(rig, "registration.people", b"k", b"4")
    await lay(rig, "registration.people", b"k", b"5", sent=False)
    assert (await pruned(rig)).outbox == 0
    rig.clock.forward(HORIZON + DAY)
    assert (await pruned(rig)).outbox == 1
    assert await outbox(rig) == [b"2", b"3", b"4", b"5"]


async def test_many_batches_are_pruned_in_one_pass(rig: Rig) -> None:
    rows = f"""
        INSERT INTO outbox (event_id, topic, key, type, headers, payload, created_at, published_at)
        SELECT n::text, 'registration.seats', 'k', 't', '"ce_sequence"', n::text::bytea, '2026-01-01', '2026-01-01'
        FROM generate_series(1, {3 * BATCH + 1}) n
    """  # noqa: S608
    await change(rig, rows)
    assert (await pruned(rig)).outbox == 3 * BATCH
    assert await outbox(rig) == [str(3 * BATCH + 1).encode()]


async def test_an_erasure_takes_at_once_what_was_said_before_it_and_stays_itself(rig: Rig) -> None:
    await lay(rig, "registration.people", b"gone", b"N\xc3\xbaria")
    await lay(rig, "registration.people", b"gone", b"refused", sent=False)
    await change(rig, "UPDATE outbox SET refused = 'RecordTooLargeError' WHERE published_at IS NULL")
    await lay(rig, "registration.people", b"stays", b"Roger")
    await lay(rig, "registration.people", b"gone", None)
    await lay(rig, "registration.people", b"gone", b"back again")
    assert (await pruned(rig)).outbox == 2
    assert await outbox(rig) == [b"Roger", None, b"back again"]


async def test_a_dead_letter_without_a_value_erases_nothing_and_goes_when_it_was_sent(rig: Rig) -> None:
    letters = dead_letters("registration").name
    await lay(rig, letters, b"k", b"first")
    await lay(rig, letters, b"k", None)
    await lay(rig, letters, b"k", b"not sent", sent=False)
    assert (await pruned(rig)).outbox == 2
    assert await outbox(rig) == [b"not sent"]


async def test_the_inbox_forgets_late_and_never_what_waits_or_what_one_of_ours_could_not_be_taken_for(rig: Rig) -> None:
    rig.effects.faults |= {"bug": RuntimeError(), "early": unknown()}
    own = [record_of(name, uuid4()) for name in ("done", "bug", "early")]
    theirs = with_headers(record_of("bug", uuid4()), ce_source=b"/publishers/cms")
    await rig.consumer.take([*own, theirs])
    rig.clock.forward(keeping.inbox_horizon(HORIZON) - DAY)
    assert (await pruned(rig)).inbox == 0
    rig.clock.forward(2 * DAY)
    assert (await pruned(rig)).inbox == 2
    assert [outcome for outcome, _ in sorted(await rig.outcomes())] == ["dead-lettered", "waiting"]


async def test_a_letter_that_was_settled_goes_after_a_while_and_an_open_one_stays(rig: Rig) -> None:
    rig.effects.faults["bug"] = RuntimeError()
    await rig.consumer.take([record_of("bug", uuid4()), record_of("bug", uuid4())])
    async with rig.database.transaction(rig.clock()) as tx:
        first, _ = await desk.listed(tx.session, desk.STATES, after=0, limit=10)
        await desk.discard(tx.session, first.id, tx.now)
    rig.clock.forward(keeping.SETTLED - timedelta(hours=1))
    assert (await pruned(rig)).dead_letters == 0
    rig.clock.forward(timedelta(hours=2))
    assert (await pruned(rig)).dead_letters == 1
    assert [row.state for row in await rig.rows("SELECT state FROM dead_letters")] == ["open"]


async def test_where_another_process_prunes_this_one_does_nothing(rig: Rig) -> None:
    await lay(rig, dead_letters("registration").name, b"k", b"sent")
    async with rig.database.transaction(rig.clock()) as tx:
        await tx.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        assert await pruned(rig) == Pruned(0, 0, 0)
    assert await pruned(rig) == Pruned(1, 0, 0)


async def test_word_of_a_replay_goes_after_a_while_and_one_that_has_not_begun_stays(years: Years) -> None:
    await replay.ask(years.raw, EVERYTHING, years.clock())
    await replay.Replays(HORIZON, years.clock, at_start=False).begin(years.raw)
    await replay.ask(years.raw, EVERYTHING, years.clock())
    years.clock.forward(keeping.SETTLED + DAY)
    await years.prune()
    assert [row["begun_at"] for row in await years.raw.fetch("SELECT begun_at FROM replays")] == [None]
