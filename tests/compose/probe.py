"""Somebody on the broker, inside: reads what to try as JSON from standard input, and answers what became of each try.

It runs in the image `ops`, for the broker is reached from within only.
"""

import asyncio
import json
import sys
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError


async def tried(what: dict[str, Any]) -> list[str]:
    """Write each record as the user named; gives `written`, or the name of the broker's error."""
    producer = AIOKafkaProducer(
        bootstrap_servers=what["servers"],
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=what["user"],
        sasl_plain_password=what["password"],
        request_timeout_ms=10_000,
    )
    try:
        await producer.start()
        return [await _written(producer, record) for record in what["records"]]
    except KafkaError as error:
        return [type(error).__name__]
    finally:
        await producer.stop()


async def _written(producer: AIOKafkaProducer, record: dict[str, Any]) -> str:
    headers = [(name, text.encode()) for name, text in record["headers"]]
    try:
        await producer.send_and_wait(
            record["topic"], record["value"].encode(), key=record["key"].encode(), headers=headers
        )
    except KafkaError as error:
        return type(error).__name__
    return "written"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(tried(json.load(sys.stdin)))))
