"""What lies on our streams, seen from inside: the id of the newest event of each key, as JSON on standard output.

It runs in the image `ops`, whose user of the broker is the administrator.
"""

import asyncio
import json
import re
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER
from deploy.kafka.admin import admin_client, topics_of
from shared.messaging.kafka import connection

OURS = re.compile(r"(catalogue|registration)[.](?!incidents).+")


async def newest() -> dict[str, str]:
    """Read every stream to its end."""
    kafka = target(DEFAULT_FOLDER).kafka()
    topics = await topics_of(admin_client(kafka))
    ours = [name for name in topics if OURS.fullmatch(name)]
    partitions = [TopicPartition(name, each) for name in ours for each in topics[name].partitions]
    consumer = AIOKafkaConsumer(**connection(kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[str, str] = {}
        while [each for each in partitions if await consumer.position(each) < ends[each]]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found |= {f"{one.topic} {one.key.decode()}": dict(one.headers)["ce_id"].decode() for one in batch}
        return found
    finally:
        await consumer.stop()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(newest())))
