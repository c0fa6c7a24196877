"""What a system may do on the bus: the least with which it can do its part."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.events.topics import INBOUND, OWN, SHUT, Topic
from shared.messaging.follow import Subscription


@dataclass(frozen=True, slots=True)
class Right:
    """To read or write a stream, or to read as a consumer group; who may do either also sees that it is there.

    With `prefix` it is for all whose names begin with `name`.
    """

    does: Literal["read", "write"]
    resource: Literal["topic", "group"]
    name: str
    prefix: bool = False


OFFERED = {topic.name: topic for topics in OWN.values() for topic in topics if topic not in SHUT}
"""The streams that outside systems may be let read; one that is not named here is not theirs to read."""


def publisher_user(service: str, name: str) -> str:
    """Name the broker's user for a system that writes to `service`."""
    return f"publisher.{service}.{name}"


def reader_user(name: str) -> str:
    """Name the broker's user for a system that reads."""
    return f"reader.{name}"


def of_publisher(topic: Topic) -> tuple[Right, ...]:
    """Let a publisher write to its own inbound topic, and do nothing else."""
    return (Right("write", "topic", topic.name),)


def of_reader(name: str, topics: Iterable[Topic]) -> tuple[Right, ...]:
    """Let a reader read `topics`, alone or in groups that are called after it: `<name>` and `<name>.*`."""
    groups = (Right("read", "group", name), Right("read", "group", f"{name}.", prefix=True))
    return (*(Right("read", "topic", topic.name) for topic in topics), *groups)


def of_service(service: str, subscriptions: Iterable[Subscription]) -> tuple[Right, ...]:
    """Let a service write what is its own, and read what it follows in the groups in which it does."""
    rights = [Right("write", "topic", topic.name) for topic in OWN[service]]
    for subscription in subscriptions:
        rights.append(Right("read", "group", subscription.group))
        rights += [_to_follow(topic) for topic in subscription.topics]
    return tuple(dict.fromkeys(rights))


def _to_follow(topic: Topic) -> Right:
    if topic in INBOUND.values():
        return Right("read", "topic", f"{topic.name}.", prefix=True)
    return Right("read", "topic", topic.name)
