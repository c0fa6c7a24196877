"""What passes while the story goes on: events over Kafka, and mails as they leave."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict

from deploy import stream
from shared.messaging.envelope import Record, Unreadable, unseal
from shared.settings import KafkaSettings

PATIENCE = 40.0
"""Seconds in which an effect has to show."""
EVERY = 0.2
"""Seconds between two looks over HTTP."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that was seen; `at` is when it happened, None for a record that cannot be read."""

    topic: str
    type: str
    id: str
    subject: str
    at: datetime | None
    data: dict[str, Any]


class Mail(BaseModel):
    """A mail that was sent."""

    model_config = ConfigDict(frozen=True)

    n: int
    to: str
    subject: str
    message_id: str | None
    sent_at: datetime
    calendar: str | None


@dataclass(slots=True)
class Watch:
    """All that was seen since the story began. `on_event` and `on_mail` hear of each."""

    since: datetime
    on_event: Callable[[Passed], None]
    on_mail: Callable[[Mail], None]
    events: list[Passed] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool]) -> bool:
        """Wait for a condition on what was seen; tells whether it came about in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        return condition()

    def of(self, topic: str, types: Collection[str], *, anew: bool = True) -> list[Passed]:
        """Give the events of some types, each once however often it was sent; `anew`: only those of this story."""
        found = {
            event.id: event
            for event in self.events
            if event.topic == topic and event.type in types and not (anew and self.is_old(event))
        }
        return list(found.values())

    def is_old(self, event: Passed) -> bool:
        """Tell whether an event happened before the story: a start sends again what the broker forgot."""
        return event.at is not None and event.at < self.since

    def mails_to(self, address: str, after: int = 0) -> list[Mail]:
        """Give the mails to somebody after a number."""
        return [mail for mail in self.mails if mail.to == address and mail.n > after]

    @property
    def last_mail(self) -> int:
        """The number of the newest mail; 0 where there is none."""
        return self.mails[-1].n if self.mails else 0

    async def follow_events(self, records: AsyncIterator[Record]) -> None:
        """Note what passes until cancelled. What a start sends again is noted too, but nobody is told of it."""
        async for record in records:
            try:
                envelope, data = unseal(record)
            except Unreadable:
                passed = Passed(
                    record.topic, "unreadable", "", (record.key or b"").decode("utf-8", "replace"), None, {}
                )
            else:
                passed = Passed(
                    record.topic, envelope.type, envelope.id, envelope.subject or "", envelope.time, json.loads(data)
                )
            self.events.append(passed)
            self._news.set()
            if not self.is_old(passed):
                self.on_event(passed)

    async def follow_mails(self, client: httpx.AsyncClient, after: int) -> None:
        """Note the mails after a number until cancelled."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get("/mailbox.json", params={"after": after})
                for found in answer.raise_for_status().json():
                    mail = Mail.model_validate(found)
                    after = mail.n
                    self.mails.append(mail)
                    self._news.set()
                    self.on_mail(mail)
            await asyncio.sleep(EVERY)


@asynccontextmanager
async def watching(watch: Watch, client: httpx.AsyncClient, kafka: KafkaSettings) -> AsyncIterator[None]:
    """Watch while the block runs; an error of the watching ends the block."""
    before = (await client.get("/mailbox.json")).raise_for_status().json()
    async with stream.records(kafka, None, whole=True) as records, asyncio.TaskGroup() as tasks:
        followers = [
            tasks.create_task(watch.follow_events(records)),
            tasks.create_task(watch.follow_mails(client, max((mail["n"] for mail in before), default=0))),
        ]
        yield
        for follower in followers:
            follower.cancel()


async def look(find: Callable[[], Awaitable[T | None]]) -> T | None:
    """Look over HTTP until something is found; None where it does not show in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while (found := await find()) is None:  # noqa: ASYNC110 - what is looked for is in another process
                await asyncio.sleep(EVERY)
            return found
    return None
