"""FastStream carries the records, the policy decides: this is where the two meet."""

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.exceptions import NackMessage
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from shared.database import passes
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record
from shared.messaging.kafka import security
from shared.settings import KafkaSettings

log = structlog.get_logger()
MOST_RECORDS = 1000
MS_TO_SEE_A_NEW_TOPIC = 1000
SECONDS_TO_FINISH = 5.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0
"""Seconds; far below aiokafka's `max_poll_interval_ms`, so that who waits stays in the group."""

MS_TO_POLL = 1000
Batches = dict[TopicPartition, list["ConsumerRecord[Any, Any]"]]
Records = tuple["ConsumerRecord[Any, Any]", ...]


def connect(settings: KafkaSettings, service: str, consumers: Sequence[Consumer]) -> KafkaBroker:
    """Make a broker with a subscriber for each consumer; `start` it, and `stop()` it, once.

    Acknowledged is what the policy has settled; what merely has to wait is taken again from the same offset.
    """
    broker = KafkaBroker(
        settings.kafka_servers.split(","),
        security=security(settings),
        client_id=f"convoca-{service}",
        graceful_timeout=SECONDS_TO_FINISH,
        apply_types=False,
        logger=logging.getLogger("faststream"),
        allow_auto_create_topics=False,
        metadata_max_age_ms=MS_TO_SEE_A_NEW_TOPIC,
    )
    for consumer in consumers:
        subscription = consumer.subscription
        names = [topic.name for topic in subscription.topics]
        subscriber = broker.subscriber(
            *([] if subscription.inbound else names),
            pattern=f"^{names[0].replace('.', '[.]')}[.].+$" if subscription.inbound else None,
            group_id=subscription.name,
            batch=True,
            max_records=MOST_RECORDS,
            fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
            auto_offset_reset="earliest",
            session_timeout_ms=settings.kafka_session_seconds * 1000,
            heartbeat_interval_ms=settings.kafka_session_seconds * 1000 // 4,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            parser=_keep_bytes,
            decoder=_as_records,
            no_reply=True,
        )
        subscriber(_handler(consumer))
    return broker


class _PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Waits until there is something to take.

    FastStream sleeps after an empty poll as long as it has polled, which makes either latency or idle work;
    a poll that is never empty makes neither.
    """

    async def getmany(self, *partitions: TopicPartition, max_records: int | None = None, **_asked: object) -> Batches:
        """Take what is there, or wait for it however long; raises ConsumerStoppedError when stopped."""
        batches: Batches = {}
        while not batches:
            batches = await super().getmany(*partitions, timeout_ms=MS_TO_POLL, max_records=max_records)
        return batches


async def start(broker: KafkaBroker) -> None:
    """Start all subscribers side by side, for each may wait seconds for its group to form."""
    await broker.connect()
    config = broker.config.broker_config
    config.builder = functools.partial(_PatientConsumer, **config.builder.keywords)  # type: ignore[attr-defined]
    await asyncio.gather(*(subscriber.start() for subscriber in broker.subscribers))


def _handler(consumer: Consumer) -> Callable[[Sequence[Record]], Awaitable[None]]:
    pause = FIRST_PAUSE

    async def take(records: Sequence[Record]) -> None:
        nonlocal pause
        try:
            await consumer.take(records)
        except Exception as error:
            if not passes(error):
                raise
            log.warning("waiting-to-consume", consumer=consumer.subscription.name, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            raise NackMessage from error
        pause = FIRST_PAUSE

    return take


async def _keep_bytes(records: Records, original: Callable[[Records], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Give FastStream one bare record to read: of the real ones it would refuse headers that are null or no UTF-8."""
    message = await original((dataclasses.replace(records[0], headers=(), value=b""),))
    message.raw_message = records
    return message


async def _as_records(message: KafkaMessage, _original: object) -> list[Record]:
    raw = message.raw_message
    return [
        Record(each.topic, each.partition, each.offset, each.key, each.value, tuple(each.headers))
        for each in (raw if isinstance(raw, tuple) else (raw,))
    ]
