"""The one way in which the broker is administered: as whoever the settings name."""

import asyncio
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shared.errors import Unavailable
from shared.messaging.kafka import MECHANISM
from shared.settings import KafkaSettings

SECONDS_TO_ANSWER = 15.0


def admin_client(settings: KafkaSettings) -> AdminClient:
    """Give a client; it connects when it is first asked for something."""
    login: dict[str, Any] = {}
    if settings.kafka_security.startswith("sasl"):
        password = settings.kafka_password
        login = {
            "sasl.mechanism": MECHANISM,
            "sasl.username": settings.kafka_username or "",
            "sasl.password": password.get_secret_value() if password else "",
        }
    return AdminClient(
        {
            "bootstrap.servers": settings.kafka_servers,
            "security.protocol": settings.kafka_security.upper(),
            **login,
            **({"ssl.ca.location": str(settings.kafka_ca_file)} if settings.kafka_ca_file else {}),
            "log_level": 0,  # what fails is raised
        }
    )


async def answered(future: "Future[Any]") -> Any:  # noqa: ANN401 - the library's answers have no one type
    """Wait for one of the client's answers; raises Unavailable where the broker does not comply."""
    try:
        return await asyncio.wrap_future(future)
    except KafkaException as error:
        slug = "broker"
        message = f"the broker did not do as it was asked: {error.args[0].str()}"
        raise Unavailable(slug, message) from error
