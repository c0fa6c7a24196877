"""How far behind consumers are: their own positions against the ends of their partitions."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer

from shared.observability.metrics import LAG


async def measure(consumers: Mapping[str, AIOKafkaConsumer]) -> None:
    """Set the gauge for every partition that is assigned to one of `consumers`, and for no other."""
    measured: dict[tuple[str, str, int], int] = {}
    for name, consumer in consumers.items():
        assigned = consumer.assignment()
        ends = await consumer.end_offsets(list(assigned)) if assigned else {}
        for partition in assigned & consumer.assignment():
            # The embedded broker may tell of a batch's beginning as the end, which lies behind who has taken it.
            behind = max(0, ends[partition] - await consumer.position(partition))
            measured[name, partition.topic, partition.partition] = behind
    LAG.clear()
    for labels, behind in measured.items():
        LAG.labels(*labels).set(behind)
