"""Outside systems let in and shut out: what a service knows of one, its topic, and its user of the broker, as one."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from deploy.cli.target import Target
from deploy.kafka import rights
from deploy.kafka.access import Login, access_to
from shared.errors import Conflict, Invalid
from shared.events.topics import SERVICES, inbound
from shared.messaging import publishers, topics


class Publisher(BaseModel):
    """A system that writes, and what it must know; `token` and password are told this once."""

    model_config = ConfigDict(frozen=True)

    name: str
    service: str
    topic: str
    source: str
    token: str
    kafka: Login


class Reader(BaseModel):
    """A system that reads, alone or in consumer groups called `groups` or `<groups>.*`."""

    model_config = ConfigDict(frozen=True)

    name: str
    topics: list[str]
    groups: str
    kafka: Login


async def add_publisher(where: Target, service: str, name: str) -> Publisher:
    """Let a system write to `service`, by HTTP and by a stream of its own; raises Invalid, or Conflict where known.

    The service knows it only once the broker does: what breaks off before has let nobody in.
    """
    topic, settings = inbound(service, name), where.kafka()
    async with where.transaction(service) as tx:
        token = await publishers.add(tx.session, name, tx.now)
        await topics.ensure(settings, [topic])
        user = rights.publisher_user(service, name)
        login = await access_to(settings, where.kafka_for_outside()).let_in(user, rights.of_publisher(topic))
    return Publisher(
        name=name, service=service, topic=topic.name, source=publishers.source_of(name), token=token, kafka=login
    )


async def knowing(where: Target, services: Sequence[str], name: str) -> list[str]:
    """Tell which of the services take events from a system."""
    found = []
    for service in services:
        async with where.transaction(service) as tx:
            if await publishers.known(tx.session, [name]):
                found.append(service)
    return found


async def remove_publisher(where: Target, service: str, name: str) -> bool:
    """Take nothing more from a system by either way, or change nothing; tells whether it was known."""
    async with where.transaction(service) as tx:
        known = await publishers.remove(tx.session, name)
        return await access_to(where.kafka()).shut_out(rights.publisher_user(service, name)) or known


async def add_reader(where: Target, name: str, named: Sequence[str]) -> Reader:
    """Let a system read the streams that are `named`; raises Invalid for one not offered, or Conflict where known."""
    publishers.require_name(name)
    if name in SERVICES:  # whose own groups are called so
        detail = f"{name} is a service of ours; call the reader otherwise"
        raise Invalid(detail, [("name", detail)])
    wanted = list(dict.fromkeys(named))
    if shut := [each for each in wanted if each not in rights.OFFERED]:
        offered = ", ".join(sorted(rights.OFFERED))
        detail = f"not for outside systems to read: {', '.join(map(repr, shut))}; these are: {offered}"
        raise Invalid(detail, [("topic", detail)])
    access, user = access_to(where.kafka(), where.kafka_for_outside()), rights.reader_user(name)
    if await access.knows(user):
        slug = "reader-exists"
        raise Conflict(slug, f"There is a reader {name} already; remove it first to let it read something else.")
    login = await access.let_in(user, rights.of_reader(name, (rights.OFFERED[each] for each in wanted)))
    return Reader(name=name, topics=wanted, groups=name, kafka=login)


async def remove_reader(where: Target, name: str) -> bool:
    """Let a system read no more; tells whether there was such a reader."""
    return await access_to(where.kafka()).shut_out(rights.reader_user(name))
