"""Somebody on the brokers, inside: tells as JSON how each topic is kept, and which enrolments a stream tells of.

It runs in the image `ops`, as the administrator.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
PATIENCE = 120.0
EVERY = 0.5


@asynccontextmanager
async def administrator() -> AsyncIterator[AIOKafkaAdminClient]:
    """Give one who may ask everything."""
    admin = AIOKafkaAdminClient(**AS_ADMINISTRATOR)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def kept() -> dict[str, Any]:
    """Tell of each topic how many copies there are at least, and how many must have a record."""
    async with administrator() as admin:
        described = await admin.describe_topics()
        asked = [ConfigResource(ConfigResourceType.TOPIC, each["topic"]) for each in described]
        least = {
            topic: next(int(entry[1]) for entry in entries if entry[0] == "min.insync.replicas")
            for answer in await admin.describe_configs(asked)
            for _, _, _, topic, entries in answer.resources
        }
        return {each["topic"]: (_fewest(each, "replicas"), least[each["topic"]]) for each in described}


async def whole() -> bool:
    """Wait until each copy of each topic has every record."""
    async with administrator() as admin, asyncio.timeout(PATIENCE):
        while any(_fewest(each, "isr") < _fewest(each, "replicas") for each in await admin.describe_topics()):  # noqa: ASYNC110
            await asyncio.sleep(EVERY)
    return True


def _fewest(topic: dict[str, Any], which: str) -> int:
    return min(len(part[which]) for part in topic["partitions"])


async def created() -> list[str]:
    """Name the enrolments of which `enrolment.created` lies on the stream."""
    consumer = AIOKafkaConsumer(**AS_ADMINISTRATOR, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with administrator() as admin:
            (topic,) = await admin.describe_topics(["registration.enrolments"])
        parts = [TopicPartition(topic["topic"], part["partition"]) for part in topic["partitions"]]
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


if __name__ == "__main__":
    asked = {"kept": kept, "whole": whole, "created": created}
    sys.stdout.write(json.dumps(asyncio.run(asked[json.load(sys.stdin)]())))
