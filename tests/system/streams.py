"""The bus as an outside system uses it: to publish what it has to say, and to read what lies on a stream."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import RecordMetadata
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from shared.events.topics import Topic
from tests.waiting import eventually

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies on a stream, byte for byte."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def header(self, name: str) -> str:
        """Give the last header of a name as text; empty where there is none."""
        return next((value.decode() for known, value in reversed(self.headers) if known == name and value), "")

    @property
    def data(self) -> dict[str, Any]:
        """Give what a fact says."""
        return dict(json.loads(self.value or b"{}"))

    @property
    def event(self) -> CloudEvent:
        """Give the CloudEvent that the CNCF's own library reads in it; raises what that raises."""
        headers = {name: value for name, value in self.headers if value is not None}
        read = from_binary_event(KafkaMessage(headers, self.key, self.value or b""))
        assert isinstance(read, CloudEvent)
        return read

    def __contains__(self, text: str) -> bool:
        """Tell whether a text stands anywhere in it."""
        sought = text.encode()
        everything = (self.key, self.value, *(value for _, value in self.headers))
        return any(sought in part for part in everything if part)


@dataclass(frozen=True, slots=True)
class Bus:
    """A broker that one is connected to; made by `connected`."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer

    async def records(self, *topics: str) -> list[Record]:
        """Give all that lies on streams now, partition by partition; on every stream where none is named."""
        partitions = await self._partitions(topics or await self.topics())
        self.consumer.assign(partitions)
        try:
            ends = await self.consumer.end_offsets(partitions)
            await self.consumer.seek_to_beginning(*partitions)
            found: dict[TopicPartition, list[Record]] = {each: [] for each in partitions}
            while behind := [each for each in partitions if await self.consumer.position(each) < ends[each]]:
                for partition, batch in (await self.consumer.getmany(*behind, timeout_ms=1000)).items():
                    found[partition] += map(_record, batch)
        finally:
            self.consumer.unsubscribe()
        return [record for each in found.values() for record in each]

    async def topics(self) -> list[str]:
        """Name every stream, but the broker's own."""
        return sorted(name for name in await self.admin.list_topics() if not name.startswith("__"))

    async def send(self, topic: str, *records: tuple[bytes | None, bytes | None, Headers]) -> list[RecordMetadata]:
        """Write keys, values and headers to the first partition, so that they lie in the order given; tells where."""
        return [
            await self.producer.send_and_wait(topic, value=value, key=key, headers=list(headers), partition=0)
            for key, value, headers in records
        ]

    async def publish(self, topic: str, *events: CloudEvent, structured: bool = False) -> list[RecordMetadata]:
        """Send events as the CNCF's own library writes them, in binary mode or in structured mode."""
        write = to_structured_event if structured else to_binary_event
        return await self.send(topic, *(_packed(write(event), event) for event in events))

    async def _partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        described = await self.admin.describe_topics(list(topics))
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]


async def facts(bus: Bus, topic: Topic, number: int, **having: str) -> list[Record]:
    """Wait until there are so many facts that say this, and give them; fails where there are more."""

    async def there() -> list[Record]:
        records = [each for each in await bus.records(topic.name) if having.items() <= each.data.items()]
        return records if len(records) >= number else []

    found = await eventually(there, f"{number} facts on {topic.name}")
    assert len(found) == number
    return found


@asynccontextmanager
async def connected(servers: str, **login: Any) -> AsyncIterator[Bus]:  # noqa: ANN401 - aiokafka has no types
    """Be connected to the broker at `host:port`; `login` is what else aiokafka's clients need for it."""
    reached = {"bootstrap_servers": servers, **login}
    async with AsyncExitStack() as at_end:
        consumer = AIOKafkaConsumer(**reached, auto_offset_reset="earliest", fetch_max_wait_ms=50)
        bus = Bus(AIOKafkaAdminClient(**reached), consumer, AIOKafkaProducer(**reached))
        for close in (bus.admin.close, bus.consumer.stop, bus.producer.stop):
            at_end.push_async_callback(close)  # before any starts, for one whose start fails or is broken off is open
        for client in (bus.admin, bus.consumer, bus.producer):
            await client.start()
        yield bus


def _packed(message: KafkaMessage, event: CloudEvent) -> tuple[bytes | None, bytes | None, Headers]:
    subject = event.get_subject()
    return subject.encode() if subject else None, message.value, tuple(message.headers.items())


def _record(message: Any) -> Record:  # noqa: ANN401 - aiokafka has no types
    return Record(message.topic, message.partition, message.offset, message.key, message.value, tuple(message.headers))
