"""The policy by which records are taken, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.database import Transaction
from shared.errors import Conflict, Forbidden, Outdated
from shared.events.catalogue import WorkshopHeld
from shared.events.registration import OrganisationRegistered
from shared.events.topics import INBOUND
from shared.messaging import publishers
from shared.messaging.consume import TRIES, Consumer
from shared.messaging.envelope import Record
from shared.messaging.follow import Followers
from shared.messaging.opening import look_into
from shared.observability import EVENTS
from tests.transport.conftest import Rig, record_of, subscription_of, unknown, with_headers


def reasons(letters: list[Record]) -> list[str]:
    return [dict(letter.headers)["dl-reason"].decode() for letter in letters]  # type: ignore[union-attr]


async def test_a_record_that_comes_again_has_its_effect_once(rig: Rig) -> None:
    record = record_of("Vic", uuid4())
    await rig.consumer.take([record, record])
    await rig.consumer.take([record])
    assert await rig.names() == ["Vic"]


async def test_the_same_record_on_two_consumers_at_once_has_its_effect_once(rig: Rig) -> None:
    records = [record_of(f"city {n}", uuid4()) for n in range(20)]
    await asyncio.gather(*(rig.consumer.take(records if n % 2 else records[::-1]) for n in range(6)))
    assert sorted(await rig.names()) == sorted(f"city {n}" for n in range(20))


UNREADABLE: dict[str, Callable[[Record], Record]] = {
    "no headers at all": lambda record: replace(record, headers=()),
    "a header that is no UTF-8": lambda record: with_headers(record, ce_source=b"\xff\xfe"),
    "no value": lambda record: replace(record, value=None),
    "a sequence beyond all numbers": lambda record: with_headers(record, ce_sequence=b"9" * 30),
    "another version of CloudEvents": lambda record: with_headers(record, ce_specversion=b"0.3"),
    "a content type that is not JSON": lambda record: with_headers(record, **{"content-type": b"text/plain"}),
    "a structured event that is no JSON": lambda record: replace(
        record, headers=(("content-type", b"application/cloudevents+json"),), value=b"{"
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_unreadable_record_is_a_dead_letter_byte_for_byte_and_blocks_nothing(rig: Rig, what: str) -> None:
    key = uuid4()
    bad = UNREADABLE[what](record_of("bad", key))
    bad = replace(bad, headers=(*bad.headers, ("x-null", None), ("x-odd", b"\x00\xff")))
    await rig.consumer.take([record_of("before", key), bad, record_of("after", key, 2)])
    assert await rig.names() == ["before", "after"]
    [letter] = await rig.dead_letters()
    assert (letter.key, letter.value) == (bad.key, bad.value)
    assert letter.headers[: len(bad.headers)] == bad.headers
    marks = {name: value.decode() for name, value in letter.headers[len(bad.headers) :] if value}
    assert marks["dl-reason"] == "unreadable"
    assert (marks["dl-topic"], marks["dl-partition"]) == (bad.topic, "0")
    assert (marks["dl-offset"], marks["dl-attempts"]) == (str(bad.offset), "1")


async def test_an_unreadable_record_that_comes_again_is_one_dead_letter(rig: Rig) -> None:
    bad = replace(record_of("bad", uuid4()), headers=())
    await rig.consumer.take([bad])
    await rig.consumer.take([bad])
    assert len(await rig.dead_letters()) == 1
    await rig.consumer.take([replace(bad, value=b"of a broker that counts from the start again")])
    assert len(await rig.dead_letters()) == 2


async def test_invalid_data_is_a_dead_letter_that_names_the_field_and_repeats_nothing_of_it(rig: Rig) -> None:
    bad = replace(record_of("x", uuid4()), value=json.dumps({"name": "núria@example.org", "kind": 5}).encode())
    await rig.consumer.take([bad])
    [(outcome, detail)] = await rig.outcomes()
    assert outcome == "dead-lettered"
    assert detail is not None
    assert "kind" in detail
    assert "organisation_id" in detail
    assert "example.org" not in detail
    incident = (await rig.rows("SELECT * FROM outbox WHERE topic = 'registration.incidents'"))[0]
    assert json.loads(incident.payload)["reason"] == "invalid"
    assert b"example.org" not in incident.payload + incident.headers


def test_what_is_told_of_invalid_data_is_in_our_own_words_where_we_have_any() -> None:
    async def nothing(event: WorkshopHeld, tx: Transaction) -> None: ...

    follow = Followers("registration")
    follow(WorkshopHeld.topic, events=WorkshopHeld)(nothing)
    data = json.dumps({"sessions": [{"timezone": "Atlantis"}]}).encode()
    bad = with_headers(
        replace(record_of("x", uuid4(), topic="catalogue.workshops"), value=data), ce_type=b"workshop.held"
    )

    opened = look_into(bad, follow.subscriptions[0])

    assert opened is not None
    assert opened.fault is not None
    said = opened.fault.detail.split("; ")
    assert "sessions.0.timezone: is not a time zone of the IANA database, such as Europe/Madrid" in said


async def test_a_structured_cloudevent_is_understood(rig: Rig) -> None:
    plain = record_of("Olot", uuid4())
    event = {name.removeprefix("ce_"): value.decode() for name, value in plain.headers if value}
    event["data"] = json.loads(plain.value or b"")
    structured = replace(
        plain,
        headers=(("content-type", b"application/cloudevents+json; charset=UTF-8"),),
        value=json.dumps(event).encode(),
    )
    await rig.consumer.take([structured, plain])
    assert await rig.names() == ["Olot"]


async def test_an_event_of_ours_that_is_nothing_to_this_consumer_is_passed_over(rig: Rig) -> None:
    await rig.consumer.take([with_headers(record_of("x", uuid4()), ce_type=b"organisation.dissolved")])
    assert await rig.outcomes() == []


async def test_a_bug_costs_only_its_record(rig: Rig) -> None:
    rig.effects.faults["bug"] = KeyError("núria@example.org")
    await rig.consumer.take([record_of("one", uuid4()), record_of("bug", uuid4()), record_of("two", uuid4())])
    assert await rig.names() == ["one", "two"]
    [letter] = await rig.dead_letters()
    marks = dict(letter.headers)
    assert marks["dl-reason"] == b"bug"
    assert marks["dl-attempts"] == str(TRIES).encode()
    assert b"example.org" not in (marks["dl-detail"] or b"")


async def test_an_answer_of_no_is_kept_and_is_no_dead_letter(rig: Rig) -> None:
    rig.effects.faults["late"] = Conflict("not-open", "Enrolment has closed.")
    await rig.consumer.take([record_of("late", uuid4())])
    assert await rig.outcomes() == [("refused", "not-open: Enrolment has closed.")]
    assert await rig.names() == []
    assert await rig.dead_letters() == []


async def test_what_is_not_allowed_is_a_dead_letter(rig: Rig) -> None:
    rig.effects.faults["theirs"] = Forbidden("not-owner", "It belongs to another publisher.")
    await rig.consumer.take([record_of("theirs", uuid4())])
    assert reasons(await rig.dead_letters()) == ["not-owner"]


async def test_an_event_that_came_too_early_waits_and_those_of_its_key_wait_behind_it(rig: Rig) -> None:
    key = uuid4()
    rig.effects.faults["early"] = unknown()
    await rig.consumer.take([record_of("early", key), record_of("second", key, 2), record_of("other", uuid4())])
    await rig.consumer.take([record_of("third", key, 3)])
    assert await rig.names() == ["other"]
    del rig.effects.faults["early"]
    rig.clock.forward(timedelta(seconds=1))
    await rig.consumer.tend()
    assert await rig.names() == ["other", "early", "second", "third"]
    assert await rig.rows("SELECT * FROM parked") == []
    assert {outcome for outcome, _ in await rig.outcomes()} == {"done"}


async def test_an_event_that_waits_and_comes_again_waits_once(rig: Rig) -> None:
    rig.effects.faults["early"] = unknown()
    record = record_of("early", uuid4())
    await rig.consumer.take([record])
    await rig.consumer.take([record])
    assert len(await rig.rows("SELECT * FROM parked")) == 1


async def test_waiting_ends_with_patience_in_a_dead_letter_and_frees_those_behind(rig: Rig) -> None:
    key = uuid4()
    rig.effects.faults["never"] = unknown()
    await rig.consumer.take([record_of("never", key), record_of("behind", key, 2)])
    for _ in range(3):
        rig.clock.forward(rig.consumer.subscription.patience)
        await rig.consumer.tend()
    assert reasons(await rig.dead_letters()) == ["unknown-workshop"]
    assert await rig.names() == ["behind"]


async def test_each_subscription_has_its_own_patience(rig: Rig) -> None:
    effects, events = rig.effects, OrganisationRegistered.topic
    effects.faults["never"] = unknown()
    hasty = Consumer(
        subscription_of(effects, events, name="hasty", patience=timedelta(minutes=1)), rig.database, rig.clock
    )
    patient = Consumer(
        subscription_of(effects, events, name="patient", patience=timedelta(hours=1)), rig.database, rig.clock
    )
    record = record_of("never", uuid4())
    for consumer in (hasty, patient):
        await consumer.take([record])
    rig.clock.forward(timedelta(minutes=1))
    for consumer in (hasty, patient):
        await consumer.tend()
    states = await rig.rows("SELECT consumer, outcome FROM inbox ORDER BY consumer")
    assert [tuple(row) for row in states] == [
        ("registration.hasty", "dead-lettered"),
        ("registration.patient", "waiting"),
    ]


async def test_what_is_not_newer_than_what_is_known_is_stale_and_counted(rig: Rig) -> None:
    rig.effects.stale = {"old"}
    counted = EVENTS.labels(rig.consumer.subscription.name, "stale")
    before = counted._value.get()  # noqa: SLF001 - the client has no other way to read one
    await rig.consumer.take([record_of("new", uuid4()), record_of("old", uuid4())])
    assert await rig.names() == ["new"]
    assert sorted(outcome for outcome, _ in await rig.outcomes()) == ["done", "stale"]
    assert counted._value.get() == before + 1  # noqa: SLF001


async def test_what_waited_may_be_stale_when_its_time_comes(rig: Rig) -> None:
    rig.effects.faults["early"] = unknown()
    await rig.consumer.take([record_of("early", uuid4())])
    rig.effects.stale = {"early"}
    rig.clock.forward(timedelta(seconds=1))
    await rig.consumer.tend()
    assert await rig.outcomes() == [("stale", None)]
    assert await rig.rows("SELECT * FROM parked") == []


async def test_a_problem_of_something_outdated_is_stale_with_its_reason(rig: Rig) -> None:
    rig.effects.faults["old"] = Outdated("older-than-known", "This is number 1; number 2 is known.")
    await rig.consumer.take([record_of("old", uuid4())])
    assert await rig.outcomes() == [("stale", "older-than-known: This is number 1; number 2 is known.")]
    assert await rig.dead_letters() == []


async def test_a_value_that_no_column_takes_is_a_fault_of_the_record_and_blocks_nothing(rig: Rig) -> None:
    async def count(event: OrganisationRegistered, tx: Transaction) -> None:
        await tx.session.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40 if event.name == "vast" else 1})
        await rig.effects.note(event, tx)

    follow = Followers("registration")
    follow(OrganisationRegistered.topic, events=OrganisationRegistered)(count)
    consumer = Consumer(follow.subscriptions[0], rig.database, rig.clock)
    await consumer.take([record_of("vast", uuid4()), record_of("Vic", uuid4())])
    assert await rig.names() == ["Vic"]
    assert reasons(await rig.dead_letters()) == ["bug"]


async def test_when_the_handler_fails_no_message_of_it_is_sent(rig: Rig) -> None:
    rig.effects.faults["bug"] = RuntimeError()
    await rig.consumer.take([record_of("bug", uuid4())])
    topics = [row.topic for row in await rig.rows("SELECT topic FROM outbox ORDER BY id")]
    assert topics == ["dead-letters.registration", "registration.incidents"]


class TestFromOutside:
    """Records on inbound topics."""

    @pytest.fixture
    async def inbound(self, rig: Rig) -> Rig:
        async with rig.database.transaction(rig.clock()) as tx:
            await publishers.add(tx.session, "cms", rig.clock())
            await publishers.add(tx.session, "other", rig.clock())
        subscription = subscription_of(rig.effects, INBOUND["registration"])
        rig.consumer = Consumer(subscription, rig.database, rig.clock)
        return rig

    @staticmethod
    def record(name: str, publisher: str = "cms", source: str = "/publishers/cms") -> Record:
        plain = record_of(name, uuid4(), topic=f"inbound.registration.{publisher}")
        return with_headers(plain, ce_source=source.encode())

    async def test_a_publisher_that_was_let_in_is_heard(self, inbound: Rig) -> None:
        await inbound.consumer.take([self.record("Vic")])
        assert await inbound.names() == ["Vic"]

    async def test_a_source_that_claims_another_is_refused_and_spoils_nothing_of_theirs(self, inbound: Rig) -> None:
        theirs = self.record("true")
        forged = replace(theirs, topic="inbound.registration.other")
        await inbound.consumer.take([forged])
        await inbound.consumer.take([theirs])
        assert reasons(await inbound.dead_letters()) == ["not-owner"]
        assert await inbound.names() == ["true"]

    async def test_a_stranger_is_refused(self, inbound: Rig) -> None:
        await inbound.consumer.take([self.record("x", "stranger", "/publishers/stranger")])
        assert reasons(await inbound.dead_letters()) == ["unknown-publisher"]

    async def test_an_unknown_type_is_refused(self, inbound: Rig) -> None:
        await inbound.consumer.take([with_headers(self.record("x"), ce_type=b"organisation.dissolved")])
        assert reasons(await inbound.dead_letters()) == ["unknown-type"]
