"""The client that takes records: it waits for them however long, and says soon how far it has come."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError

from shared.observability import where

log = structlog.get_logger()
MS_TO_POLL = 1000
SECONDS_TO_GATHER = 0.25
"""How long an acknowledgement may wait for those of later batches: each is a round trip of its own."""
SECONDS_TO_TAKE_LEAVE = 1.0
Batches = dict[TopicPartition, list["ConsumerRecord[Any, Any]"]]


class PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Waits until there is something to take, and ends where it cannot go on, so that it is made anew.

    FastStream sleeps after an empty poll as long as it has polled, which makes either latency or idle work;
    a poll that is never empty makes neither. After a failed poll it would ask the same consumer for ever, whose
    coordination may have ended for good; an outage is no failed poll, for that aiokafka waits by itself.
    Nor would anybody notice that its group does not come together any more, for then a poll is only empty.
    """

    def __init__(self, *topics: str, seconds_to_join: float, **asked: Any) -> None:  # noqa: ANN401 - aiokafka's
        super().__init__(*topics, **asked)
        self._seconds_to_join = seconds_to_join
        self.in_vain = False
        """Whether it ended because its group did not come together in all that time."""
        self._assigned_at = 0.0
        self._settled: Mapping[TopicPartition, object] = {}
        self._acknowledging: asyncio.Task[None] | None = None

    async def getmany(self, *partitions: TopicPartition, max_records: int | None = None, **_asked: object) -> Batches:
        """Take what is there, or wait for it however long; raises ConsumerStoppedError at the end."""
        batches: Batches = {}
        self._assigned_at = time.monotonic()
        try:
            while not batches:
                self._mind_the_group()
                batches = await super().getmany(*partitions, timeout_ms=MS_TO_POLL, max_records=max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            log.warning("poll-failed", error=type(error).__name__, at=where(error))
            raise ConsumerStoppedError from error
        return batches

    async def commit(self, offsets: Mapping[TopicPartition, object] | None = None) -> None:
        """Note that all that was taken so far is settled; the broker hears of it soon, with what is settled meanwhile.

        What is taken again because it had not heard is known to the inbox.
        """
        assigned = self._subscription.subscription and self._subscription.subscription.assignment
        self._settled = offsets or (assigned.all_consumed_offsets() if assigned else {})
        if self._acknowledging is None or self._acknowledging.done():
            self._acknowledging = asyncio.create_task(self._acknowledge())

    async def stop(self) -> None:
        """Say how far it has come, and leave the group."""
        if self._acknowledging is not None:
            self._acknowledging.cancel()
        if settled := self._ours():
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(SECONDS_TO_TAKE_LEAVE):
                    await super().commit(settled)
        await super().stop()

    async def _acknowledge(self) -> None:
        while self._settled:
            await asyncio.sleep(SECONDS_TO_GATHER)
            said, settled = self._settled, self._ours()
            try:
                if settled:
                    await super().commit(settled)
            except (CommitFailedError, IllegalStateError):
                log.info("acknowledged-by-others", partitions=len(settled))
            except KafkaError as error:
                log.warning("not-acknowledged-yet", error=type(error).__name__)
                continue
            if said is self._settled:
                self._settled = {}

    def _ours(self) -> dict[TopicPartition, object]:
        """Give what is settled of the partitions that are this member's now; others acknowledge theirs."""
        return {partition: offset for partition, offset in self._settled.items() if partition in self.assignment()}

    def _mind_the_group(self) -> None:
        """End where the group has not come together for too long; that it gives this member nothing is no reason."""
        subscription = self._subscription.subscription
        if subscription is not None and subscription.assignment is not None:
            self._assigned_at = time.monotonic()
        elif time.monotonic() - self._assigned_at > self._seconds_to_join:
            self.in_vain = True
            raise ConsumerStoppedError
