"""The bus as an outside system uses it: to publish what it has to say, and to read what lies on a stream."""

import json
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

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
    """A broker: `host:port`."""

    servers: str

    async def records(self, *topics: str) -> list[Record]:
        """Give all that lies on streams now, partition by partition; on every stream where none is named."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest", fetch_max_wait_ms=50)
        await consumer.start()
        async with aclosing(_Stopping(consumer)):
            there = await consumer.topics()
            partitions = [
                TopicPartition(topic, number)
                for topic in topics or sorted(there)
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            found: list[Record] = []
            while True:
                behind = [each for each in partitions if await consumer.position(each) < ends[each]]
                if not behind:
                    return found
                batches = await consumer.getmany(*behind, timeout_ms=1000)
                found += [_record(message) for batch in batches.values() for message in batch]

    async def send(self, topic: str, *records: tuple[bytes | None, bytes | None, Headers]) -> list[RecordMetadata]:
        """Write keys, values and headers to the first partition, so that they lie in the order given; tells where."""
        producer = AIOKafkaProducer(bootstrap_servers=self.servers)
        await producer.start()
        try:
            return [
                await producer.send_and_wait(topic, value=value, key=key, headers=list(headers), partition=0)
                for key, value, headers in records
            ]
        finally:
            await producer.stop()

    async def publish(self, topic: str, *events: CloudEvent, structured: bool = False) -> list[RecordMetadata]:
        """Send events as the CNCF's own library writes them, in binary mode or in structured mode."""
        write = to_structured_event if structured else to_binary_event
        return await self.send(topic, *(_packed(write(event), event) for event in events))


class _Stopping:
    """Stops a consumer at the end of a block."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def aclose(self) -> None:
        await self._consumer.stop()


def headers_of(records: Iterable[Record], name: str) -> Iterator[str]:
    """Give a header of each record."""
    return (record.header(name) for record in records)


def _packed(message: KafkaMessage, event: CloudEvent) -> tuple[bytes | None, bytes | None, Headers]:
    subject = event.get_subject()
    return subject.encode() if subject else None, message.value, tuple(message.headers.items())


def _record(message: Any) -> Record:  # noqa: ANN401 - aiokafka has no types
    return Record(message.topic, message.partition, message.offset, message.key, message.value, tuple(message.headers))
