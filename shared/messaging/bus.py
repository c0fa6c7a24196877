"""FastStream carries the records, the policy decides: this is where the two meet, and each consumer is kept going."""

import asyncio
import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.exceptions import NackMessage
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber

from shared.database import passes
from shared.messaging import groups, header_names, lag
from shared.messaging.consume import Consumer
from shared.messaging.envelope import Record
from shared.messaging.kafka import answers, security
from shared.messaging.patient import PatientConsumer
from shared.observability import RETRIES, where
from shared.settings import KafkaSettings

log = structlog.get_logger()
MOST_RECORDS = 1000
MS_TO_SEE_A_NEW_TOPIC = 1000
SECONDS_TO_FINISH = 2.0
SESSIONS_TO_JOIN = 5
LEAST_SECONDS_TO_JOIN = 20.0
SECONDS_TO_ANSWER = 2.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0
"""Seconds; far below aiokafka's `max_poll_interval_ms`, so that who waits stays in the group."""

Subscriber = LogicSubscriber[Any]
Records = tuple["ConsumerRecord[Any, Any]", ...]
Groups = Mapping[str, Sequence[Consumer]]
"""The consumers of each consumer group; they share one client, and each takes what is its own."""


class Bus:
    """The subscribers of one service. `run` goes on until it is cancelled; then `stop` it, once."""

    def __init__(self, settings: KafkaSettings, service: str, consumers: Sequence[Consumer]) -> None:
        self._settings = settings
        self._service = service
        self._consumers = consumers
        self._groups = _by_group(consumers)
        self._broker: KafkaBroker | None = None
        self._polling: set[str] = set()
        self._seconds_to_join = max(LEAST_SECONDS_TO_JOIN, SESSIONS_TO_JOIN * settings.kafka_session_seconds)

    @property
    def well(self) -> bool:
        """Tell whether there is somebody in each group who asks for records."""
        return self._polling.issuperset(self._groups)

    async def run(self) -> None:
        """Wait for the broker, then keep the client of every group going, each on its own, whatever befalls it."""
        while not await answers(self._settings, SECONDS_TO_ANSWER):
            log.warning("waiting-for-kafka", servers=self._settings.kafka_servers)
            await asyncio.sleep(0.5)
        header_names.read_any()
        self._broker = broker = _connect(self._settings, self._service, self._groups)
        await broker.connect()
        config = broker.config.broker_config
        asked = config.builder.keywords  # type: ignore[attr-defined]
        config.builder = functools.partial(PatientConsumer, seconds_to_join=self._seconds_to_join, **asked)
        await asyncio.gather(*(self._keep(cast("Subscriber", each)) for each in broker.subscribers))

    async def stop(self) -> None:
        """Finish what is in flight and leave the groups; gives up a broker that does not answer."""
        if self._broker is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_TO_FINISH + 0.5):
                    await self._broker.stop()

    async def measure_lag(self) -> None:
        """Tell how far behind each consumer is on its partitions, by its own position and the broker's word."""
        subscribers = self._broker.subscribers if self._broker else ()
        taking = [
            each.consumer for each in cast("list[Subscriber]", subscribers) if str(each.group_id) in self._polling
        ]
        await lag.measure(filter(None, taking), [each.subscription for each in self._consumers])

    async def _keep(self, subscriber: Subscriber) -> None:
        name, pause = str(subscriber.group_id), FIRST_PAUSE
        while True:
            since = time.monotonic()
            try:
                async with asyncio.timeout(self._seconds_to_join):
                    await subscriber.start()
                self._polling.add(name)
                await asyncio.wait(subscriber.tasks, return_when=asyncio.FIRST_COMPLETED)
                in_vain = isinstance(subscriber.consumer, PatientConsumer) and subscriber.consumer.in_vain
            except Exception as error:  # noqa: BLE001 - whatever it was, the stream must be followed
                in_vain = isinstance(error, TimeoutError)
                log.warning("consumer-cannot-start", consumer=name, error=type(error).__name__, at=where(error))
            finally:
                self._polling.discard(name)
            await subscriber.stop()
            if in_vain and self._settings.kafka_drop_stuck_groups:
                await self._drop(name)
            log.warning("consumer-begins-anew", consumer=name)
            pause = FIRST_PAUSE if time.monotonic() - since > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _drop(self, group: str) -> None:
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                await groups.drop(self._settings, group)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("group-not-dropped", consumer=group, error=type(error).__name__)
        else:
            log.warning("group-dropped", consumer=group)


def _by_group(consumers: Sequence[Consumer]) -> Groups:
    groups: dict[str, list[Consumer]] = {}
    for consumer in consumers:
        groups.setdefault(consumer.subscription.group, []).append(consumer)
    return groups


def _connect(settings: KafkaSettings, service: str, groups: Groups) -> KafkaBroker:
    """Make a subscriber for each group: acknowledged is what is settled, what must wait is taken again."""
    broker = KafkaBroker(
        settings.kafka_servers.split(","),
        security=security(settings),
        client_id=f"convoca-{service}",
        graceful_timeout=SECONDS_TO_FINISH,
        apply_types=False,
        logger=logging.getLogger("faststream"),
        allow_auto_create_topics=False,
        consumer_only=True,
        metadata_max_age_ms=MS_TO_SEE_A_NEW_TOPIC,
    )
    for group, consumers in groups.items():
        names = [topic.name for each in consumers for topic in each.subscription.topics]
        inbound = consumers[0].subscription.inbound
        subscriber = broker.subscriber(
            *([] if inbound else names),
            pattern=f"^{names[0].replace('.', '[.]')}[.].+$" if inbound else None,
            group_id=group,
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
        subscriber(_handler(consumers))
    return broker


def _handler(consumers: Sequence[Consumer]) -> Callable[[Sequence[Record]], Awaitable[None]]:
    pause = FIRST_PAUSE

    async def take(records: Sequence[Record]) -> None:
        nonlocal pause
        for consumer in consumers:  # in the order in which they are declared
            own = [each for each in records if consumer.subscription.follows(each.topic)]
            try:
                await consumer.take(own)
            except Exception as error:
                # What is no outage is a bug in our own house, for a record's bug has become its dead letter: wait too.
                level = log.warning if passes(error) else log.error
                told = {"consumer": consumer.subscription.name, "error": type(error).__name__, "at": where(error)}
                level("waiting-to-consume", **told)
                RETRIES.labels(consumer.subscription.name, "outage").inc()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                raise NackMessage from error  # what the ones before have taken is known to their inbox
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
