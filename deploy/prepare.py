"""Databases and topics brought to where the services expect them; harmless when they are there already."""

import asyncio
from collections.abc import Iterable, Mapping

import asyncpg
from aiokafka.errors import KafkaError

from shared import migrations
from shared.events.topics import OWN, SERVICES, Topic, inbound
from shared.messaging import topics
from shared.settings import KafkaSettings

UNREACHABLE = (KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What is raised where a database or the broker does not answer."""


async def migrate(databases: Mapping[str, str]) -> None:
    """Bring each service's database to its newest schema: `databases` are addresses by service."""
    for service, url in databases.items():
        await asyncio.to_thread(migrations.upgrade, service, url)  # Alembic has one context for a process


async def make_topics(kafka: KafkaSettings, databases: Mapping[str, str]) -> list[str]:
    """Make the missing topics of all services and of the publishers they know; answers those made."""
    known = [topic for service in SERVICES for topic in OWN[service]]
    for service, url in databases.items():
        known += await _inbound(service, url)
    return await topics.ensure(kafka, known)


async def _inbound(service: str, url: str) -> Iterable[Topic]:
    connection = await asyncpg.connect(url)
    try:
        return [inbound(service, row["name"]) for row in await connection.fetch("SELECT name FROM publishers")]
    finally:
        await connection.close()


def plain_kafka(servers: str) -> KafkaSettings:
    """Give the settings of a broker that asks nobody who they are, as the embedded one."""
    return KafkaSettings(kafka_servers=servers)
