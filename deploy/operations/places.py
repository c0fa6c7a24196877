"""How far consumer groups have come, asked without joining them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.kafka.admin import admin_client, topics_of
from shared.messaging import header_names
from shared.messaging.kafka import connection
from shared.settings import KafkaSettings

MS_TO_POLL = 300
POLLS = 10
CLIENT = "convoca-operations"
Places = Mapping[TopicPartition, int | None]
"""Up to where each partition is acknowledged; None: nothing of it yet."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A partition of which a group has not acknowledged all: how many records, and since when the first waits.

    `since` is in milliseconds of the epoch; None where there is no record to be read after all, as after compaction.
    """

    records: int
    since: int | None


async def acknowledged(kafka: KafkaSettings, group: str, belongs: Callable[[str], bool]) -> Places:
    """Ask the broker how far a group has come on each partition of the topics that belong to it."""
    # Not by the consumer, which knows no partition of what it does not follow; the embedded broker tells it of all.
    topics = await topics_of(admin_client(kafka))
    partitions = [TopicPartition(name, n) for name in topics if belongs(name) for n in topics[name].partitions]
    consumer = AIOKafkaConsumer(**connection(kafka), client_id=CLIENT, group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        return {each: await consumer.committed(each) for each in partitions}
    finally:
        await consumer.stop()


async def behind(kafka: KafkaSettings, places: Places) -> dict[TopicPartition, Behind]:
    """Tell of which partitions not all is acknowledged."""
    if not places:
        return {}
    header_names.read_any()
    consumer = AIOKafkaConsumer(
        **connection(kafka), client_id=CLIENT, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        partitions = list(places)
        firsts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        froms = {each: max(place or 0, firsts[each]) for each, place in places.items()}
        late = {each: ends[each] - froms[each] for each in partitions if ends[each] > froms[each]}
        since: dict[TopicPartition, int] = {}
        for _ in range(POLLS):
            waiting = [each for each in late if each not in since]
            if not waiting:
                break
            consumer.assign(waiting)
            for each in waiting:
                consumer.seek(each, froms[each])
            for partition, batch in (await consumer.getmany(timeout_ms=MS_TO_POLL)).items():
                since[partition] = batch[0].timestamp
        return {each: Behind(records, since.get(each)) for each, records in late.items()}
    finally:
        await consumer.stop()
