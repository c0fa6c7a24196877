"""Our own streams and the groups that follow them, as whoever administers the broker sees them."""

import asyncio
from collections.abc import Iterable

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from deploy.kafka.admin import SECONDS_TO_ANSWER, admin_client, answered
from deploy.kafka.services import FOLLOWERS
from shared.errors import Unavailable
from shared.events.topics import OWN, SERVICES
from shared.settings import KafkaSettings

GROUPS = {service: tuple(each.name for each in FOLLOWERS[service].subscriptions) for service in SERVICES}
"""The consumer groups of each service."""
NOBODY = (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)
LOOK = 0.1
STREAMS = tuple(topic.name for service in SERVICES for topic in OWN[service])


async def groups_at_work(settings: KafkaSettings) -> list[str]:
    """Name those of our services' groups in which somebody is; raises Unavailable."""
    names = [name for service in SERVICES for name in GROUPS[service]]
    admin = admin_client(settings)  # by its name, for a client that nobody holds gives up what it was asked
    asked = admin.describe_consumer_groups(names, request_timeout=SECONDS_TO_ANSWER)
    # By its state, for of the embedded broker's members this client sees none.
    return [name for name, future in asked.items() if (await answered(future)).state not in NOBODY]


async def forget(settings: KafkaSettings) -> None:
    """Delete our own streams, and what our services' groups have acknowledged of any; raises Unavailable.

    Inbound streams stay: from their beginning, all that the broker still has of them is taken that is not known yet.
    """
    admin = admin_client(settings)
    names = [name for service in SERVICES for name in GROUPS[service]]
    await _but(
        admin.delete_consumer_groups(names, request_timeout=SECONDS_TO_ANSWER).values(), KafkaError.GROUP_ID_NOT_FOUND
    )
    if streams := await _there(admin):
        deleting = admin.delete_topics(streams, operation_timeout=SECONDS_TO_ANSWER, request_timeout=SECONDS_TO_ANSWER)
        await _but(deleting.values(), KafkaError.UNKNOWN_TOPIC_OR_PART)
    async with asyncio.timeout(SECONDS_TO_ANSWER):
        # A broker may answer before it is done, and the same names are to be made anew.
        while await _there(admin):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(LOOK)


async def _there(admin: AdminClient) -> list[str]:
    known = await asyncio.to_thread(admin.list_topics, timeout=SECONDS_TO_ANSWER)
    return [name for name in STREAMS if name in known.topics]


async def _but(futures: Iterable[object], harmless: int) -> None:
    """Wait for all; one that is not there needs no deleting."""
    for future in futures:
        try:
            await answered(future)  # type: ignore[arg-type]  # the library says less than it gives
        except Unavailable as error:
            cause = error.__cause__
            if not isinstance(cause, KafkaException) or cause.args[0].code() != harmless:
                raise
