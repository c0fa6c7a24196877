"""Somebody on the broker, inside: tells as JSON how each topic is kept, and which enrolments a stream tells of.

It runs in the image `ops`, as the administrator.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

AS_ADMINISTRATOR = {
    "bootstrap_servers": os.environ["CONVOCA_KAFKA_SERVERS"],
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_plain_username": "admin",
    "sasl_plain_password": Path("/run/secrets/kafka_admin_password").read_text(encoding="utf-8").strip(),
}


async def kept() -> dict[str, Any]:
    """Tell of each topic how many copies there are and are to be, and how many must have a record."""
    admin = AIOKafkaAdminClient(**AS_ADMINISTRATOR)
    await admin.start()
    try:
        described = await admin.describe_topics()
        names = [each["topic"] for each in described]
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
        least = {
            name: value
            for answer in answers
            for _, _, _, topic, entries in answer.resources
            for (name, value) in [(topic, next(each[1] for each in entries if each[0] == "min.insync.replicas"))]
        }
        return {
            each["topic"]: {
                "copies": min(len(part["replicas"]) for part in each["partitions"]),
                "there": min(len(part["isr"]) for part in each["partitions"]),
                "least": int(least[each["topic"]]),
            }
            for each in described
        }
    finally:
        await admin.close()


async def created() -> list[str]:
    """Name the enrolments of which `enrolment.created` lies on the stream."""
    consumer = AIOKafkaConsumer(**AS_ADMINISTRATOR, auto_offset_reset="earliest")
    await consumer.start()
    try:
        topic = "registration.enrolments"
        parts = [TopicPartition(topic, number) for number in await _numbers(consumer, topic)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        found: set[str] = set()
        while behind := [part for part in parts if await consumer.position(part) < ends[part]]:
            for records in (await consumer.getmany(*behind, timeout_ms=1000)).values():
                for record in records:
                    headers = dict(record.headers)
                    if headers.get("ce_type", b"").endswith(b"enrolment.created"):
                        found.add(json.loads(record.value)["enrolment_id"])
        return sorted(found)
    finally:
        await consumer.stop()


async def _numbers(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """Give the numbers of a topic's partitions."""
    await consumer.topics()
    return set(consumer.partitions_for_topic(topic) or ())


if __name__ == "__main__":
    asked = {"kept": kept, "created": created}
    sys.stdout.write(json.dumps(asyncio.run(asked[json.load(sys.stdin)]())))
