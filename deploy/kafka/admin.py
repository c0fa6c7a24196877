"""The one way in which the broker is administered: as whoever the settings name."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata

from shared.errors import Unavailable
from shared.messaging.kafka import MECHANISM
from shared.settings import KafkaSettings

SECONDS_TO_ANSWER = 15.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
NOT_ALLOWED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
NOT_READY = frozenset(
    {KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR}
)
"""What a broker says of a group while it reads what it has kept of groups, or another takes them over: soon it can."""

Ask = Callable[[list[str]], Mapping[str, "Future[Any]"]]


class Refused(Unavailable):
    """The broker answers, but not to this user."""


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
    """Wait for one of the client's answers; raises Unavailable where it does not comply, Refused to this user."""
    try:
        return await asyncio.wrap_future(future)
    except KafkaException as error:
        raise _unavailable(error) from error


async def answered_of_groups(
    ask: Ask, groups: Sequence[str], no_group: Collection[int], seconds: float = SECONDS_TO_ANSWER
) -> dict[str, Any]:
    """Ask something of each group, and again of those for which the broker is not ready yet, for up to `seconds`.

    Left out are groups of which it says one of the errors `no_group`. Raises Unavailable.
    """
    answers: dict[str, Any] = {}
    ends, pause, waiting = asyncio.get_running_loop().time() + seconds, FIRST_PAUSE, list(groups)
    while waiting:
        not_ready: list[str] = []
        for group, future in ask(waiting).items():
            try:
                answers[group] = await answered(future)
            except Unavailable as error:
                code = code_of(error)
                if code in no_group:
                    continue
                if code not in NOT_READY or asyncio.get_running_loop().time() > ends:
                    raise
                not_ready.append(group)
        if waiting := not_ready:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    return answers


async def topics_of(admin: AdminClient) -> dict[str, TopicMetadata]:
    """Give every topic that this user may see; raises Unavailable."""
    try:
        return (await asyncio.to_thread(admin.list_topics, timeout=SECONDS_TO_ANSWER)).topics
    except KafkaException as error:
        raise _unavailable(error) from error


def code_of(error: Unavailable) -> int | None:
    """Give the broker's own number for what it said."""
    cause = error.__cause__
    return cause.args[0].code() if isinstance(cause, KafkaException) else None


def _unavailable(error: KafkaException) -> Unavailable:
    kind = Refused if error.args[0].code() in NOT_ALLOWED else Unavailable
    return kind("broker", f"the broker did not do as it was asked: {error.args[0].str()}")
