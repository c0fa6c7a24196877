"""Consumer groups that do not come together are dropped, so that their members begin them again."""

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.admin import DeleteGroupsRequest, DescribeGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

from shared.messaging.kafka import connection
from shared.settings import KafkaSettings


async def drop(kafka: KafkaSettings, group: str) -> None:
    """Put every member out of a group and delete it; raises KafkaError.

    Apache Kafka misses a member that has died. The embedded broker sometimes keeps as its leader, for ever, a member
    that is not in the group any more, and all others wait for its word. What the group had committed goes with it:
    everything is taken again, and is known.
    """
    client = AIOKafkaClient(**connection(kafka), client_id="convoca-groups")
    await client.bootstrap()
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(coordinator, DescribeGroupsRequest([group]))
        for member in [member[0] for described in answer.groups for member in described[5]]:
            await client.send(coordinator, LeaveGroupRequest(group, member))
        await client.send(coordinator, DeleteGroupsRequest([group]))
    finally:
        await client.close()
