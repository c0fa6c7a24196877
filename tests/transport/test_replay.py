"""What was said is said again: under the same ids, in its order, and nobody is the worse for it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.database import Database
from shared.events.topics import Topic, dead_letters
from shared.messaging import replay, topics
from shared.messaging.envelope import Outgoing
from shared.messaging.replay import EVERYTHING, Connection, Scope
from shared.runtime import Service
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, StartService, fact, make_effects, make_service, subscription_of
from tests.waiting import eventually

HORIZON = timedelta(days=30)
STREAM = Topic("registration.organisations")


class Outbox:
    """An outbox that nobody relays; a test says when what was sent."""

    def __init__(self, store: Database, raw: Connection, clock: HandClock) -> None:
        self.store = store
        self.raw = raw
        self.clock = clock

    async def say(self, name: str, key: UUID, sequence: int | None = 1, topic: Topic = STREAM) -> None:
        """Say something, and have it sent."""
        async with self.store.transaction(self.clock()) as tx:
            tx.emit(fact(name), key=key, sequence=sequence, topic=topic)
        await self.raw.execute("UPDATE outbox SET published_at = $1 WHERE published_at IS NULL", self.clock())

    async def lay(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Send a message as it stands: a tombstone, or a dead letter."""
        async with self.store.transaction(self.clock()) as tx:
            tx.forward(Outgoing(str(uuid4()), topic, key, "raw", (), value))
        await self.raw.execute("UPDATE outbox SET published_at = $1 WHERE published_at IS NULL", self.clock())

    async def take_back(self, scope: Scope = EVERYTHING) -> int:
        """Have sent again what the scope says, as the leader does; a count beforehand says the same."""
        oldest = self.clock() - HORIZON
        counted = await replay.count(self.raw, scope, oldest)
        taken = await replay.take_back(self.raw, scope, oldest)
        assert counted == taken
        return taken

    async def waiting(self) -> list[str]:
        """Give what waits to be sent, by name, in its order."""
        rows = await self.raw.fetch(
            "SELECT payload FROM outbox WHERE published_at IS NULL AND refused IS NULL ORDER BY id"
        )
        return [json.loads(row["payload"] or b'{"name": "erased"}')["name"] for row in rows]


@pytest_asyncio.fixture
async def outbox(database_url: MakeUrl, clock: HandClock) -> AsyncIterator[Outbox]:
    """Give an outbox."""
    url = await database_url("registration")
    store, raw = Database(url, "registration"), await asyncpg.connect(url)
    yield Outbox(store, raw, clock)
    await raw.close()
    await store.close()


async def test_a_replay_takes_back_all_that_was_sent_but_dead_letters(outbox: Outbox) -> None:
    key = uuid4()
    await outbox.say("one", key)
    await outbox.lay(dead_letters("registration").name, b"k", b"{}")
    await outbox.say("two", key, 2)
    assert await outbox.take_back() == 2
    assert await outbox.waiting() == ["one", "two"]
    assert await outbox.take_back() == 0


async def test_a_replay_since_a_moment_ends_with_the_newest_of_each_key_whatever_the_clocks_said(
    outbox: Outbox, clock: HandClock
) -> None:
    key = uuid4()
    await outbox.say("before", key)
    clock.forward(timedelta(hours=1))
    since = clock()
    await outbox.say("since", key, 2)
    clock.forward(timedelta(minutes=-1))  # of another process, whose clock is slow
    await outbox.say("newest", key, 3)
    assert await outbox.take_back(Scope(since=since)) == 2
    assert await outbox.waiting() == ["since", "newest"]


async def test_a_replay_of_a_topic_leaves_the_others(outbox: Outbox) -> None:
    await outbox.say("mine", uuid4())
    await outbox.say("other", uuid4(), topic=Topic("registration.seats"))
    assert await outbox.take_back(Scope(topic="registration.seats")) == 1
    assert await outbox.waiting() == ["other"]


async def test_a_replay_since_later_than_anything_was_said_is_empty(outbox: Outbox, clock: HandClock) -> None:
    await outbox.say("one", uuid4())
    assert await outbox.take_back(Scope(since=clock() + timedelta(seconds=1))) == 0


async def test_beyond_the_horizon_only_the_newest_of_each_aggregate_is_said_again(
    outbox: Outbox, clock: HandClock
) -> None:
    key = uuid4()
    await outbox.say("old", key)
    await outbox.say("newest", key, 2)
    await outbox.say("of no aggregate", uuid4(), None)
    clock.forward(HORIZON + timedelta(seconds=1))
    assert await outbox.take_back() == 1
    assert await outbox.waiting() == ["newest"]


async def test_what_was_erased_is_not_said_again_but_the_erasure_is(outbox: Outbox) -> None:
    gone, other = uuid4(), uuid4()
    await outbox.say("Núria", gone)
    await outbox.lay(STREAM.name, str(gone).encode(), None)
    await outbox.say("Roger", other)
    await outbox.lay(dead_letters("registration").name, str(other).encode(), None)
    assert await outbox.take_back() == 2
    assert await outbox.waiting() == ["erased", "Roger"]


async def test_what_was_refused_stays_refused(outbox: Outbox) -> None:
    await outbox.say("one", uuid4())
    await outbox.raw.execute("UPDATE outbox SET published_at = NULL, refused = 'RecordTooLargeError'")
    assert await outbox.take_back() == 0
    assert (await replay.unsent(outbox.raw, await replay.last_message(outbox.raw))).stuck == 1


async def test_a_replay_that_was_withdrawn_does_not_begin_and_one_that_began_is_not_withdrawn(
    outbox: Outbox, clock: HandClock
) -> None:
    leader = replay.Replays(HORIZON, clock, at_start=False)
    await outbox.say("one", uuid4())
    first = await replay.ask(outbox.raw, EVERYTHING, clock())
    assert await replay.withdraw(outbox.raw, first)
    second = await replay.ask(outbox.raw, EVERYTHING, clock())
    await leader.begin(outbox.raw)
    assert await replay.begun(outbox.raw, second) == 1
    assert not await replay.withdraw(outbox.raw, second)


# On a broker.


class Following:
    """A service that relays a stream, and follows it itself."""

    def __init__(self, service: Service, stream: Topic, raw: Connection) -> None:
        self.service = service
        self.stream = stream
        self.raw = raw

    async def say(self, *names: str, key: UUID, first: int = 1) -> None:
        """Commit events of one aggregate."""
        async with self.service.transaction() as tx:
            for number, name in enumerate(names, first):
                tx.emit(fact(name), key=key, sequence=number, topic=self.stream)

    async def effects(self) -> list[str]:
        """Give the effects had so far, in their order."""
        rows = await self.raw.fetch("SELECT name FROM effects ORDER BY id")
        return [row["name"] for row in rows]

    async def had(self, count: int) -> list[str]:
        """Wait for so many effects, and for an empty outbox."""

        async def enough() -> bool:
            return len(await self.effects()) >= count and not (await self.unsent()).waiting

        await eventually(enough, f"{count} effects")
        return await self.effects()

    async def unsent(self) -> replay.Unsent:
        """Count what is not sent."""
        return await replay.unsent(self.raw, await replay.last_message(self.raw))

    async def replayed(self, scope: Scope = EVERYTHING) -> int:
        """Ask for a replay and wait until it is sent."""
        number = await replay.ask(self.raw, scope, self.service.clock())

        async def over() -> bool:
            return await replay.begun(self.raw, number) is not None and not (await self.unsent()).waiting

        await eventually(over, "the replay to be sent")
        return await replay.begun(self.raw, number) or 0


@pytest_asyncio.fixture
async def following(
    start_service: StartService, stream: Topic, database_url: MakeUrl, clock: HandClock
) -> AsyncIterator[Following]:
    """Give a service that follows what it says, so that everything is in one place."""
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, clock)
    await store.close()
    service = await start_service(subscription_of(Effects(), stream, name=stream.name), url=url)
    raw = await asyncpg.connect(url)
    yield Following(service, stream, raw)
    await raw.close()


async def lies_on(kafka: KafkaSettings, stream: Topic) -> dict[bytes, list[str]]:
    """Give the names that lie on a stream, by key."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.kafka_servers, auto_offset_reset="earliest")
    await consumer.start()
    partitions = [TopicPartition(stream.name, number) for number in range(stream.partitions)]
    consumer.assign(partitions)
    found: dict[bytes, list[str]] = {}
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    while [each for each in partitions if await consumer.position(each) < ends[each]]:
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            for record in batch:
                found.setdefault(record.key, []).append(json.loads(record.value)["name"])
    await consumer.stop()
    return found


async def test_what_is_replayed_comes_before_what_is_newer_and_is_taken_once(
    following: Following, kafka: KafkaSettings
) -> None:
    one, two = uuid4(), uuid4()
    await following.say("a1", "a2", key=one)
    await following.say("b1", key=two)
    before = sorted(await following.had(3))
    assert await following.replayed() == 3
    await following.say("a3", key=one, first=3)
    assert sorted(await following.had(4)) == [*before[:2], "a3", *before[2:]]
    assert await lies_on(kafka, following.stream) == {
        str(one).encode(): ["a1", "a2", "a1", "a2", "a3"],
        str(two).encode(): ["b1", "b1"],
    }


async def test_under_load_each_key_ends_with_its_newest_however_often_one_replays(
    following: Following, kafka: KafkaSettings
) -> None:
    keys = [uuid4() for _ in range(5)]
    for round_ in range(1, 21):
        for key in keys:
            await following.say(f"{round_}", key=key, first=round_)
        if round_ % 5 == 0:
            await replay.ask(following.raw, EVERYTHING, following.service.clock())
    assert sorted(await following.had(100)) == sorted(f"{n}" for n in range(1, 21) for _ in keys)
    await following.replayed()
    for names in (await lies_on(kafka, following.stream)).values():
        assert names[-1] == "20"
        assert list(dict.fromkeys(names)) == [f"{n}" for n in range(1, 21)]
    assert len(await following.effects()) == 100


async def test_a_stream_that_was_deleted_and_made_anew_is_filled_again_and_followed_on(
    kafka: KafkaSettings, stream: Topic, database_url: MakeUrl, clock: HandClock
) -> None:
    """What the group had committed lay far beyond what the new stream holds."""
    url, keys = await database_url("registration"), [uuid4() for _ in range(6)]
    store = Database(url, "registration")
    await make_effects(store, clock)
    await store.close()
    raw = await asyncpg.connect(url)

    def service() -> Service:
        return make_service(kafka, url, subscription_of(Effects(), stream, name=stream.name))

    first = service()
    async with first.running():
        before = Following(first, stream, raw)
        for key in keys:
            await before.say("one", "two", "three", key=key)
        await before.had(18)
        await before.replayed()
    await make_anew(kafka, stream)
    second = service()
    async with second.running():
        after = Following(second, stream, raw)
        await after.replayed()
        assert await lies_on(kafka, stream) == {str(key).encode(): ["one", "two", "three"] for key in keys}
        for key in keys:
            await after.say("four", key=key, first=4)
        assert sorted(await after.had(24)) == sorted(["one", "two", "three", "four"] * 6)
    await raw.close()


async def make_anew(kafka: KafkaSettings, stream: Topic) -> None:
    """Delete a stream with all that lies on it, and make it again."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_servers)
    await admin.start()
    await admin.delete_topics([stream.name])

    async def gone() -> bool:
        return stream.name not in await admin.list_topics()

    await eventually(gone, "the stream to be gone")
    await admin.close()
    await topics.ensure(kafka, [stream])


async def test_one_can_tell_whether_anybody_sends(outbox: Outbox, start_service: StartService) -> None:
    assert not await replay.somebody_sends(outbox.raw)
    await start_service(url=outbox.store.engine.url.render_as_string(hide_password=False).replace("+asyncpg", ""))

    async def somebody_does() -> bool:
        return await replay.somebody_sends(outbox.raw)

    await eventually(somebody_does, "the service to lead")


async def test_a_replay_is_done_after_a_crash_between_its_beginning_and_its_end(
    following: Following, kafka: KafkaSettings, start_service: StartService
) -> None:
    """The connection of the leader is cut as soon as the replay has begun, and another process is there to go on."""
    key = uuid4()
    names = [f"{n}" for n in range(1, 401)]
    await following.say(*names, key=key)
    await following.had(400)
    await start_service(url=following.service.settings.database_url)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%-relay'"
    number = await replay.ask(following.raw, EVERYTHING, following.service.clock())

    async def has_begun() -> bool:
        return await replay.begun(following.raw, number) is not None

    await eventually(has_begun, "the replay to begin")
    await following.raw.execute(cut)
    await following.had(400)
    found = (await lies_on(kafka, following.stream))[str(key).encode()]
    assert found[-1] == names[-1]
    assert len(found) >= 800
    assert len(await following.effects()) == 400
