"""How one reaches the broker: the same settings for every client, and whether it answers."""

import asyncio
import ssl
from typing import TypedDict

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faststream.security import BaseSecurity, SASLScram512

from shared.settings import KafkaSettings


class Connection(TypedDict, total=False):
    """The keyword arguments by which aiokafka's clients connect."""

    bootstrap_servers: str
    security_protocol: str
    ssl_context: ssl.SSLContext
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


MECHANISM = "SCRAM-SHA-512"


def connection(settings: KafkaSettings) -> Connection:
    """Give the arguments for any of aiokafka's clients."""
    arguments = Connection(bootstrap_servers=settings.kafka_servers, security_protocol=settings.kafka_security.upper())
    if context := _tls(settings):
        arguments["ssl_context"] = context
    if settings.kafka_security.startswith("sasl"):
        arguments["sasl_mechanism"] = MECHANISM
        arguments["sasl_plain_username"] = settings.kafka_username or ""
        arguments["sasl_plain_password"] = _password(settings)
    return arguments


def security(settings: KafkaSettings) -> BaseSecurity | None:
    """Give the same for FastStream."""
    if settings.kafka_security.startswith("sasl"):
        return SASLScram512(
            settings.kafka_username or "",
            _password(settings),
            ssl_context=_tls(settings),
            use_ssl=settings.kafka_security == "sasl_ssl",
        )
    return BaseSecurity(ssl_context=_tls(settings), use_ssl=True) if settings.kafka_security == "ssl" else None


async def answers(settings: KafkaSettings, seconds: float) -> bool:
    """Tell whether the broker answers a question within `seconds`; an open port alone does not count."""
    client = AIOKafkaClient(**connection(settings), client_id="convoca-pulse", request_timeout_ms=int(seconds * 1000))
    try:
        async with asyncio.timeout(seconds):
            await client.bootstrap()
            return bool(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()


def _tls(settings: KafkaSettings) -> ssl.SSLContext | None:
    if not settings.kafka_security.endswith("ssl"):
        return None
    return ssl.create_default_context(cafile=settings.kafka_ca_file)


def _password(settings: KafkaSettings) -> str:
    return settings.kafka_password.get_secret_value() if settings.kafka_password else ""
