"""Topics made explicitly, with the life that the contract gives them; none comes into being by a typing error."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events.topics import Topic
from shared.messaging.kafka import connection
from shared.settings import KafkaSettings

MS_A_DAY = 86_400_000


async def ensure(settings: KafkaSettings, topics: Iterable[Topic]) -> list[str]:
    """Make those that are missing and answer their names; raises KafkaError where the broker refuses one.

    One that is there keeps the number of its copies.
    """
    admin = AIOKafkaAdminClient(**connection(settings), client_id="convoca-topics")
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in there]
        if not missing:
            return []
        response = await admin.create_topics([_new(topic, settings.kafka_replication) for topic in missing])
        for name, code, *rest in response.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:  # two that migrate side by side
                raise for_code(code)(f"{name}: {rest[0] if rest else ''}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()


def configuration(topic: Topic) -> dict[str, str]:
    """Give what the broker is told of a topic's life."""
    configs = {"max.message.bytes": str(topic.max_record_bytes)}
    if topic.compacted:
        configs["cleanup.policy"] = "compact"
    else:
        configs["retention.ms"] = str((topic.retention_days or 0) * MS_A_DAY)
    return configs


def _new(topic: Topic, replication: int) -> NewTopic:
    configs = configuration(topic)
    if replication > 1:  # one of the copies may be away, and no record is taken that fewer have
        configs["min.insync.replicas"] = str(replication - 1)
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=configs)
