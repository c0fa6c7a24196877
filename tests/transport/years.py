"""Years that pass in a moment: one service that says things and hears them itself, and a broker that forgets late."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import text

from shared.database import Database, Transaction
from shared.events.registration import OrganisationRegistered
from shared.events.topics import ENROLMENTS, ORGANISATIONS, Topic
from shared.messaging import keeping, replay
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record, unpack_headers
from shared.messaging.follow import Followers, Subscription
from shared.messaging.pruning import Pruned, Pruning
from shared.messaging.replay import Connection, Scope
from tests.clock import HandClock
from tests.transport.conftest import fact

HORIZON = timedelta(days=30)
DAY = timedelta(days=1)
VERSIONED, PLAIN = ORGANISATIONS, ENROLMENTS
"""A stream of versioned facts, of which the broker keeps all for ever, and one whose messages have no version."""

LATEST = keeping.LONGEST_RETENTION + keeping.SLACK
TABLES = "CREATE TABLE versions (key text PRIMARY KEY, version bigint NOT NULL)"
_KEEP = text(
    """
    INSERT INTO versions AS v (key, version) VALUES (:key, :version)
    ON CONFLICT (key) DO UPDATE SET version = excluded.version WHERE excluded.version > v.version RETURNING key
    """
)


@dataclass
class Years:
    """What a test lets happen. What is said is called `<aggregate>:<number>`, and counted from 1."""

    store: Database
    raw: Connection
    clock: HandClock = field(default_factory=HandClock)
    logs: dict[str, list[tuple[datetime, Record]]] = field(default_factory=lambda: {VERSIONED.name: [], PLAIN.name: []})
    taken: dict[str, int] = field(default_factory=dict)
    said: dict[str, tuple[Topic, datetime]] = field(default_factory=dict)

    async def say(self, topic: Topic, aggregate: int) -> None:
        """Commit the next thing that is said of an aggregate."""
        version = len(self.said) + 1
        name = f"{aggregate}:{version}"
        self.said[name] = topic, self.clock()
        async with self.store.transaction(self.clock()) as tx:
            key = uuid5(UUID(int=0), str(aggregate))
            tx.emit(fact(name), key=key, sequence=version if topic is VERSIONED else None, topic=topic)

    async def send(self) -> None:
        """Send what waits, in its order."""
        for row in await self.raw.fetch("SELECT * FROM outbox WHERE published_at IS NULL ORDER BY id"):
            log = self.logs[row["topic"]]
            headers = unpack_headers(row["headers"])
            log.append((self.clock(), Record(row["topic"], 0, len(log), row["key"], row["payload"], headers)))
        await self.raw.execute("UPDATE outbox SET published_at = $1 WHERE published_at IS NULL", self.clock())

    async def say_again(self, days: int | None = None) -> None:
        """Replay all, or what was said for some days."""
        since = None if days is None else self.clock() - days * DAY
        await replay.take_back(self.raw, Scope(since=since), self.clock() - HORIZON)
        await self.send()

    async def take(self) -> None:
        """Take what the broker still holds and was not acknowledged."""
        for topic in (VERSIONED, PLAIN):
            log, start = self.logs[topic.name], self.taken.get(topic.name, 0)
            held = [record for at, record in log[start:] if topic.compacted or self.clock() - at < LATEST]
            await Consumer(_following(topic), self.store, self.clock).take(held)
            self.taken[topic.name] = len(log)

    def forget_what_was_taken(self) -> None:
        """Lose the consumers' offsets."""
        self.taken.clear()

    def wipe(self) -> None:
        """Lose all that the broker holds, and the offsets with it."""
        for log in self.logs.values():
            log.clear()
        self.taken.clear()

    async def prune(self) -> Pruned:
        """Let a pass of pruning go by."""
        return await Pruning(self.store, self.clock, HORIZON).prune()

    async def effects(self) -> list[str]:
        """Give the effects had so far."""
        return [row["name"] for row in await self.raw.fetch("SELECT name FROM effects ORDER BY id")]

    def lies_on_streams(self) -> set[str]:
        """Give what the broker holds."""
        return {json.loads(record.value or b"")["name"] for log in self.logs.values() for _, record in log}

    def due(self) -> set[str]:
        """Give what must lie on the streams, and have had its effect, once all is said again and taken."""
        newest = {name.partition(":")[0]: name for name, (topic, _) in self.said.items() if topic is VERSIONED}
        young = {name for name, (_, at) in self.said.items() if self.clock() - at <= HORIZON}
        overtaken = {name for name, (topic, _) in self.said.items() if topic is VERSIONED} - set(newest.values())
        return set(newest.values()) | (young - overtaken)


def _following(topic: Topic) -> Subscription:
    """Follow as our services do: what tells of an aggregate counts only where it is newer than what is kept of it."""
    follow = Followers("registration")

    @follow(topic, events=OrganisationRegistered)
    async def note(event: OrganisationRegistered, tx: Transaction) -> None:
        version = tx.cause.sequence if tx.cause else None
        told = {"key": event.name.partition(":")[0], "version": version}
        if version is None or await tx.session.scalar(_KEEP, told):
            await tx.session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.name})

    return follow.subscriptions[0]
