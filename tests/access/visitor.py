"""Somebody who connects to the broker, and tries what they may and may not do."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from deploy.kafka.access import Login
from shared.messaging.kafka import connection
from shared.settings import KafkaSettings
from tests.waiting import eventually

MS_TO_WAIT = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user of the broker; each answer is what went well, or the name of the broker's error."""

    settings: KafkaSettings

    @classmethod
    def of(cls, login: Login) -> "Visitor":
        """Be who was let in."""
        assert (login.security, login.mechanism) == ("sasl_plaintext", "SCRAM-SHA-512")
        return cls(
            KafkaSettings(
                kafka_servers=login.servers,
                kafka_security="sasl_plaintext",
                kafka_username=login.username,
                kafka_password=SecretStr(login.password or ""),
            )
        )

    async def writes(self, *topics: str) -> set[str]:
        """Try to write a record to each."""
        producer = self._producer()
        try:
            await producer.start()
            return {await _written(producer, topic) for topic in topics}
        except KafkaError as error:
            return {type(error).__name__}
        finally:
            await producer.stop()

    @asynccontextmanager
    async def writing(self, topic: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """Be connected, and give what tries to write one record more."""
        producer = self._producer()
        await producer.start()
        try:
            yield partial(_written, producer, topic)
        finally:
            await producer.stop()

    async def reads(self, topic: str, group: str | None = None) -> str:
        """Try to read a stream that is not empty, from its first record, alone or in a group."""
        consumer = self._consumer(topic, group)

        async def some() -> dict[Any, Sequence[Any]]:
            return dict(await consumer.getmany(timeout_ms=MS_TO_WAIT))

        try:
            await consumer.start()
            await eventually(some, f"records on {topic}")
            if group:
                await consumer.commit()
        except KafkaError as error:
            return type(error).__name__
        finally:
            await consumer.stop()
        return "read"

    async def may_read(self, topic: str) -> bool:
        """Tell whether it is let read a stream, be there anything on it or not."""
        consumer = self._consumer(topic, None)
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=MS_TO_WAIT)
            await consumer.end_offsets(consumer.assignment())
            return bool(consumer.assignment())
        except KafkaError:
            return False
        finally:
            await consumer.stop()

    async def sees(self) -> list[str]:
        """Name the streams that are shown to this user."""
        admin = AIOKafkaAdminClient(**connection(self.settings))
        await admin.start()
        try:
            return sorted(await admin.list_topics())
        finally:
            await admin.close()

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(**connection(self.settings), request_timeout_ms=5000)

    def _consumer(self, topic: str, group: str | None) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            topic,
            **connection(self.settings),
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            metadata_max_age_ms=1000,
        )


async def _written(producer: AIOKafkaProducer, topic: str) -> str:
    try:
        await producer.send_and_wait(topic, b"a record", key=b"a key")
    except KafkaError as error:
        return type(error).__name__
    return "written"
