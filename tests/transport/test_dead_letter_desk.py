"""What becomes of dead letters that staff have tried again, or put away."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.errors import Conflict, NotFound
from shared.events.registration import OrganisationRegistered
from shared.events.topics import INBOUND, Topic
from shared.messaging import dead_letter_desk as desk
from shared.messaging import publishers
from shared.messaging.consume import Consumer
from shared.messaging.dead_letter_desk import STATES, Kept
from shared.messaging.dead_letters import Fault, Letter, lay_down
from shared.messaging.envelope import Record
from shared.messaging.inbox import Identity
from tests.transport.conftest import Effects, Rig, StartService, record_of, subscription_of, unknown, with_headers
from tests.waiting import eventually

BUG = RuntimeError("a bug")


async def letters(rig: Rig) -> list[Kept]:
    async with rig.database.transaction(rig.clock()) as tx:
        return await desk.listed(tx.session, STATES, after=0, limit=100)


async def retry(rig: Rig, number: int) -> None:
    async with rig.database.transaction(rig.clock()) as tx:
        await desk.retry(tx.session, number, tx.now)


async def fail(rig: Rig, *records: Record) -> Kept:
    """Have records taken of which one becomes a dead letter, and give that."""
    await rig.consumer.take(records)
    *_, letter = await letters(rig)
    return letter


async def test_a_dead_letter_is_kept_with_its_cause_and_byte_for_byte(rig: Rig) -> None:
    bad = replace(record_of("bad", uuid4()), value=b"\x00\xff{")
    kept = await fail(rig, replace(bad, headers=(*bad.headers, ("x-odd", b"\xff\x00"), ("x-null", None))))
    assert (kept.state, kept.consumer, kept.letter.fault.reason) == ("open", rig.consumer.subscription.name, "invalid")
    record = kept.letter.record
    assert (record.value, record.key, record.offset) == (bad.value, bad.key, bad.offset)
    assert record.headers == (*bad.headers, ("x-odd", b"\xff\x00"), ("x-null", None))


async def test_a_dead_letter_that_is_tried_again_has_its_effect_once_and_keeps_its_identity(rig: Rig) -> None:
    rig.effects.faults["late"] = BUG
    record = record_of("late", uuid4())
    kept = await fail(rig, record)
    rig.effects.faults.clear()
    await retry(rig, kept.id)
    assert await rig.outcomes() == [("waiting", "retried")]
    await rig.consumer.tend()
    await rig.consumer.take([record])
    assert await rig.names() == ["late"]
    assert await rig.outcomes() == [("done", None)]
    assert [(each.id, each.state) for each in await letters(rig)] == [(kept.id, "retried")]


async def test_a_second_retry_is_refused_and_changes_nothing(rig: Rig) -> None:
    rig.effects.faults["late"] = BUG
    kept = await fail(rig, record_of("late", uuid4()))
    await retry(rig, kept.id)
    with pytest.raises(Conflict, match="retried before"):
        await retry(rig, kept.id)
    assert len(await rig.rows("SELECT * FROM parked")) == 1


async def test_of_two_retries_at_once_one_is_refused(rig: Rig) -> None:
    rig.effects.faults["late"] = BUG
    kept = await fail(rig, record_of("late", uuid4()))
    told = await asyncio.gather(*(retry(rig, kept.id) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in told if each is not None] == [Conflict] * 3
    assert len(await rig.rows("SELECT * FROM parked")) == 1


async def test_a_retry_that_fails_again_is_a_new_dead_letter(rig: Rig) -> None:
    rig.effects.faults["never"] = BUG
    kept = await fail(rig, record_of("never", uuid4()))
    await retry(rig, kept.id)
    await rig.consumer.tend()
    first, second = await letters(rig)
    assert (first.state, second.state) == ("retried", "open")
    assert second.letter.identity == first.letter.identity
    assert len(await rig.dead_letters()) == 2
    assert await rig.rows("SELECT * FROM parked") == []


async def test_a_retry_goes_only_to_the_consumer_that_failed(rig: Rig) -> None:
    others = Effects()
    other = Consumer(subscription_of(others, OrganisationRegistered.topic, name="other"), rig.database, rig.clock)
    rig.effects.faults["late"] = BUG
    record = record_of("late", uuid4())
    await other.take([record])
    kept = await fail(rig, record)
    rig.effects.faults.clear()
    rig.effects.calls.clear()
    await retry(rig, kept.id)
    await asyncio.gather(other.tend(), rig.consumer.tend())
    await rig.consumer.tend()
    assert (others.calls, rig.effects.calls) == (["late"], ["late"])


async def test_what_is_tended_by_two_processes_at_once_has_its_effect_once(rig: Rig) -> None:
    rig.effects.faults["late"] = BUG
    kept = await fail(rig, record_of("late", uuid4()))
    rig.effects.faults.clear()
    await retry(rig, kept.id)
    await asyncio.gather(*(Consumer(rig.consumer.subscription, rig.database, rig.clock).tend() for _ in range(4)))
    await rig.consumer.tend()
    assert await rig.names() == ["late"]


async def test_what_waits_of_its_key_stays_behind_a_letter_that_is_tried_again(rig: Rig) -> None:
    key = uuid4()
    rig.effects.faults |= {"first": BUG, "second": unknown()}
    kept = await fail(rig, record_of("first", key), record_of("second", key, 2), record_of("third", key, 3))
    assert await rig.names() == []
    rig.effects.faults.clear()
    await retry(rig, kept.id)
    for _ in range(2):
        rig.clock.forward(timedelta(seconds=1))
        await rig.consumer.tend()
    assert await rig.names() == ["first", "second", "third"]


async def test_a_letter_that_is_put_away_is_not_tried_again(rig: Rig) -> None:
    rig.effects.faults["late"] = BUG
    kept = await fail(rig, record_of("late", uuid4()))
    async with rig.database.transaction(rig.clock()) as tx:
        await desk.discard(tx.session, kept.id, tx.now)
    with pytest.raises(Conflict, match="discarded before"):
        await retry(rig, kept.id)
    assert await rig.rows("SELECT * FROM parked") == []
    with pytest.raises(NotFound):
        await retry(rig, kept.id + 1)


async def test_a_record_that_stays_unreadable_is_a_dead_letter_again_and_blocks_nothing(rig: Rig) -> None:
    key = uuid4()
    kept = await fail(rig, replace(record_of("bad", key), headers=()))
    await retry(rig, kept.id)
    await rig.consumer.take([record_of("after", key, 2)])
    for _ in range(2):
        rig.clock.forward(timedelta(seconds=1))
        await rig.consumer.tend()
    assert [(each.state, each.letter.fault.reason) for each in await letters(rig)] == [
        ("retried", "unreadable"),
        ("open", "unreadable"),
    ]
    assert await rig.names() == ["after"]


async def test_a_record_that_became_readable_shares_its_identity_with_the_same_event(rig: Rig) -> None:
    readable = record_of("Vic", uuid4())
    kept = await fail(rig, with_headers(readable, ce_specversion=b"0.3"))
    async with rig.database.transaction(rig.clock()) as tx:  # as if a later version of ours could read it
        mend = (
            "UPDATE dead_letters SET headers = convert_to(replace(convert_from(headers, 'UTF8'), '0.3', '1.0'), 'UTF8')"
        )
        await tx.session.execute(text(mend))
    await rig.consumer.take([readable])
    await retry(rig, kept.id)
    await rig.consumer.tend()
    assert await rig.names() == ["Vic"]
    assert await rig.rows("SELECT * FROM parked") == []


async def test_the_largest_inbound_record_fits_among_the_dead_letters_with_its_marks(
    start_service: StartService, stream: Topic
) -> None:
    assert stream  # whose fixture makes the service's own streams
    service, record = await start_service(), record_of("large", uuid4(), topic="inbound.registration.cms")
    large = replace(record, value=b"x" * (INBOUND["registration"].max_record_bytes - 1000))
    letter = Letter(large, Identity("kafka:x", "1"), Fault("invalid", "d" * 2000), 1)
    async with service.transaction() as tx:
        await lay_down(tx, "registration.inbound", [letter])

    async def settled() -> list[tuple[bool, str | None]]:
        async with service.transaction() as tx:
            query = "SELECT published_at IS NOT NULL, refused FROM outbox WHERE topic LIKE 'dead-letters.%'"
            rows = [(bool(sent), refused) for sent, refused in await tx.session.execute(text(query))]
            return rows if any(rows[0]) else []

    assert await eventually(settled, "the letter to be sent") == [(True, None)]


class TestFromOutside:
    """Letters of outside systems."""

    @pytest.fixture
    async def inbound(self, rig: Rig) -> Rig:
        rig.consumer = Consumer(subscription_of(rig.effects, INBOUND["registration"]), rig.database, rig.clock)
        return rig

    @staticmethod
    async def let_in(rig: Rig, name: str) -> None:
        async with rig.database.transaction(rig.clock()) as tx:
            await publishers.add(tx.session, name, tx.now)

    @staticmethod
    def record(name: str, publisher: str, source: str) -> Record:
        plain = record_of(name, uuid4(), topic=f"inbound.registration.{publisher}")
        return with_headers(plain, ce_source=source.encode())

    async def test_a_strangers_letter_is_taken_once_the_stranger_was_let_in(self, inbound: Rig) -> None:
        kept = await fail(inbound, self.record("Vic", "cms", "/publishers/cms"))
        await retry(inbound, kept.id)
        await inbound.consumer.tend()
        *_, again = await letters(inbound)
        assert (again.state, again.letter.fault.reason) == ("open", "unknown-publisher")
        assert await inbound.names() == []
        await self.let_in(inbound, "cms")
        await retry(inbound, again.id)
        await inbound.consumer.tend()
        assert await inbound.names() == ["Vic"]

    async def test_a_forged_letter_that_is_tried_again_takes_nothing_from_whom_it_claims(self, inbound: Rig) -> None:
        await self.let_in(inbound, "cms")
        await self.let_in(inbound, "other")
        theirs = self.record("true", "cms", "/publishers/cms")
        kept = await fail(inbound, replace(theirs, topic="inbound.registration.other"))
        await retry(inbound, kept.id)
        await inbound.consumer.tend()
        await inbound.consumer.take([theirs])
        assert [each.letter.fault.reason for each in await letters(inbound)] == ["not-owner", "not-owner"]
        assert await inbound.names() == ["true"]
