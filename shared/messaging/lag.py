"""How far behind consumers are: their own positions against the ends of their partitions."""

from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer

from shared.messaging.follow import Subscription
from shared.observability.metrics import LAG


async def measure(clients: Iterable[AIOKafkaConsumer], subscriptions: Sequence[Subscription]) -> None:
    """Set the gauge for every partition that is assigned to one of `clients`, by who follows it, and for no other."""
    measured: dict[tuple[str, str, int], int] = {}
    for client in clients:
        assigned = client.assignment()
        ends = await client.end_offsets(list(assigned)) if assigned else {}
        for partition in assigned & client.assignment():
            # The embedded broker may tell of a batch's beginning as the end, which lies behind who has taken it.
            behind = max(0, ends[partition] - await client.position(partition))
            for each in subscriptions:
                if each.follows(partition.topic):
                    measured[each.name, partition.topic, partition.partition] = behind
    LAG.clear()
    for labels, behind in measured.items():
        LAG.labels(*labels).set(behind)
