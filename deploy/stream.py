"""CloudEvents to and from Kafka, for people who look at the streams and for systems that try one out."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from shared.errors import Invalid
from shared.messaging.envelope import Record
from shared.messaging.kafka import connection
from shared.settings import KafkaSettings

EVERY = "^(catalogue|registration|notifications|inbound|dead-letters)[.].+$"
LOOK = 0.05
"""Seconds between two looks at whether there is a topic to follow."""
BODY = ("specversion", "data", "datacontenttype")


class CloudEvent(BaseModel):
    """A CloudEvent in structured mode; attributes that it does not name are extensions."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: str = Field(pattern="^1[.]0$")
    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1)
    subject: str | None = None
    time: AwareDatetime | None = None
    data: JsonValue

    def headers(self) -> list[tuple[str, bytes]]:
        """Give its attributes as the headers of Kafka's binary mode."""
        given = self.model_dump(mode="json", exclude_none=True, exclude=set(BODY))
        return [
            ("ce_specversion", b"1.0"),
            *((f"ce_{name}", str(value).encode()) for name, value in given.items()),
            ("content-type", b"application/json"),
        ]


async def publish(kafka: KafkaSettings, topic: str, events: Sequence[CloudEvent]) -> None:
    """Send events in their order, each keyed by its subject; returns when the broker has all."""
    producer = AIOKafkaProducer(**connection(kafka), client_id="convoca-command")
    try:
        await producer.start()
        sent = [
            await producer.send(
                topic,
                key=event.subject.encode() if event.subject else None,
                value=json.dumps(event.data, ensure_ascii=False).encode(),
                headers=event.headers(),
            )
            for event in events
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


@asynccontextmanager
async def records(kafka: KafkaSettings, topic: str | None, *, whole: bool) -> AsyncIterator[AsyncIterator[Record]]:
    """Follow one topic, or all, from now on or (`whole`) from what the broker has; leaves no group.

    What is sent after the block is entered is seen. Raises Invalid for a topic that there is not.
    """
    consumer = AIOKafkaConsumer(
        **connection(kafka),
        client_id="convoca-command",
        auto_offset_reset="earliest" if whole else "latest",
        metadata_max_age_ms=1_000,
    )
    try:
        await consumer.start()
        if topic is not None:
            _require(topic, await consumer.topics())
        consumer.subscribe(pattern=f"^{topic.replace('.', '[.]')}$" if topic else EVERY)
        while not consumer.assignment():  # noqa: ASYNC110 - aiokafka tells of it by no event
            await asyncio.sleep(LOOK)
        await asyncio.gather(*(consumer.position(partition) for partition in consumer.assignment()))
        yield _follow(consumer)
    finally:
        await consumer.stop()


def _require(topic: str, there: Collection[str]) -> None:
    if topic not in there:
        near = ", ".join(get_close_matches(topic, sorted(there), n=3))
        rest = f"near it: {near}" if near else f"these are: {', '.join(sorted(there))}"
        detail = f"there is no topic {topic!r}; {rest}"
        raise Invalid(detail, [("topic", detail)])


async def _follow(consumer: AIOKafkaConsumer) -> AsyncIterator[Record]:
    async for message in consumer:
        yield Record(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            value=message.value,
            headers=tuple(message.headers),
        )
