"""Somebody who connects to the broker, and tries what they may and may not do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from shared.messaging.kafka import connection
from shared.settings import KafkaSettings
from tests.waiting import eventually


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user of the broker; each answer is what went well, or the name of the broker's error."""

    settings: KafkaSettings

    @classmethod
    def of(cls, printed: str) -> "Visitor":
        """Be who `publisher add --json` or `reader add --json` has let in."""
        login = json.loads(printed)["kafka"]
        assert (login["security"], login["mechanism"]) == ("sasl_plaintext", "SCRAM-SHA-512")
        return cls(
            KafkaSettings(
                kafka_servers=login["servers"],
                kafka_security=login["security"],
                kafka_username=login["username"],
                kafka_password=SecretStr(login["password"]),
            )
        )

    async def writes(self, topic: str) -> str:
        """Try to write a record."""
        producer = AIOKafkaProducer(**connection(self.settings), request_timeout_ms=5000)
        try:
            await producer.start()
            await producer.send_and_wait(topic, b"a record", key=b"a key")
        except KafkaError as error:
            return type(error).__name__
        finally:
            await producer.stop()
        return "written"

    async def reads(self, topic: str, group: str | None = None) -> str:
        """Try to read a stream that is not empty, from its first record, alone or in a group."""
        consumer = AIOKafkaConsumer(
            topic,
            **connection(self.settings),
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            metadata_max_age_ms=1000,
        )

        async def some() -> dict[Any, Sequence[Any]]:
            return dict(await consumer.getmany(timeout_ms=200))

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

    async def sees(self) -> list[str]:
        """Name the streams that are shown to this user."""
        admin = AIOKafkaAdminClient(**connection(self.settings))
        await admin.start()
        try:
            return sorted(await admin.list_topics())
        finally:
            await admin.close()
