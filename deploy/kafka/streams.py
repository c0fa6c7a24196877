"""Our own streams and the groups that follow them, as whoever administers the broker sees them."""

import asyncio
from functools import partial

from confluent_kafka import ConsumerGroupState, KafkaError
from confluent_kafka.admin import AdminClient

from deploy.kafka.admin import SECONDS_TO_ANSWER, admin_client, answered, answered_of_groups, code_of, topics_of
from deploy.kafka.services import FOLLOWERS
from shared.errors import Unavailable
from shared.events.topics import OWN, SERVICES
from shared.settings import KafkaSettings

GROUPS = {service: tuple({each.group: None for each in FOLLOWERS[service].subscriptions}) for service in SERVICES}
"""The consumer groups of each service."""
NOBODY = (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)
LOOK = 0.1
GROUPS_ARE_KEPT_IN = "__consumer_offsets"
STREAMS = tuple(topic.name for service in SERVICES for topic in OWN[service])


async def groups_at_work(settings: KafkaSettings) -> list[str]:
    """Name those of our services' groups in which somebody is; raises Unavailable."""
    names = [name for service in SERVICES for name in GROUPS[service]]
    admin = admin_client(settings)  # by its name, for a client that nobody holds gives up what it was asked
    ask = partial(admin.describe_consumer_groups, request_timeout=SECONDS_TO_ANSWER)
    described = await answered_of_groups(ask, names, await _codes_of_no_group(admin))
    # By its state, for of the embedded broker's members this client sees none.
    return [name for name in names if name in described and described[name].state not in NOBODY]


async def forget(settings: KafkaSettings) -> None:
    """Delete our own streams, and what our services' groups have acknowledged of any; raises Unavailable.

    Inbound streams stay: from their beginning, all that the broker still has of them is taken that is not known yet.
    """
    admin = admin_client(settings)
    names = [name for service in SERVICES for name in GROUPS[service]]
    ask = partial(admin.delete_consumer_groups, request_timeout=SECONDS_TO_ANSWER)
    await answered_of_groups(ask, names, await _codes_of_no_group(admin))
    if streams := await _there(admin):
        deleting = admin.delete_topics(streams, operation_timeout=SECONDS_TO_ANSWER, request_timeout=SECONDS_TO_ANSWER)
        for future in deleting.values():
            try:
                await answered(future)
            except Unavailable as error:
                if code_of(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
    async with asyncio.timeout(SECONDS_TO_ANSWER):
        # A broker may answer before it is done, and the same names are to be made anew.
        while await _there(admin):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(LOOK)


async def _there(admin: AdminClient) -> list[str]:
    known = await topics_of(admin)
    return [name for name in STREAMS if name in known]


async def _codes_of_no_group(admin: AdminClient) -> set[int]:
    """Give the errors by which the broker says that a group is not there.

    Before the first one, Apache Kafka lacks the topic that it keeps groups in, and says that it does not coordinate.
    """
    never_any = GROUPS_ARE_KEPT_IN not in await topics_of(admin)
    return {KafkaError.GROUP_ID_NOT_FOUND} | ({KafkaError.NOT_COORDINATOR} if never_any else set())
