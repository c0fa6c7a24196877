"""A broker is asked how far a group has come, and since when what it has not taken waits; nobody joins it for that."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.operations.places import Behind, acknowledged, behind
from shared.events.topics import Topic
from shared.settings import KafkaSettings


async def test_each_partition_is_told_whether_anything_of_it_is_acknowledged_or_not(
    stream: Topic, kafka: KafkaSettings, producer: AIOKafkaProducer
) -> None:
    first, second, third = (TopicPartition(stream.name, number) for number in range(3))
    sent = [
        await producer.send_and_wait(stream.name, b"{}", partition=part.partition) for part in (first, first, third)
    ]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.kafka_servers, group_id=f"of {stream.name}", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([first])
        await consumer.commit({first: 1})
    finally:
        await consumer.stop()
    places = await acknowledged(kafka, f"of {stream.name}", lambda name: name == stream.name)
    assert places == {first: 1, second: None, third: None}
    late = await behind(kafka, places)
    assert late == {first: Behind(1, sent[1].timestamp), third: Behind(1, sent[2].timestamp)}
