"""All of our own streams that a service follows are taken by one client; each subscription is its own all the same."""

from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError

from deploy.operations.places import acknowledged
from shared.database import Database
from shared.events.registration import OrganisationRegistered
from shared.events.topics import OWN, Topic
from shared.messaging import topics
from shared.messaging.follow import Followers, Subscription
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, StartService, make_effects, record_of
from tests.waiting import eventually

SOME = range(3)


@pytest_asyncio.fixture
async def streams(kafka: KafkaSettings) -> list[Topic]:
    """Give two streams of this test's own."""
    own = [Topic(f"registration.test-{uuid4()}", retention_days=1, partitions=2) for _ in range(2)]
    await topics.ensure(kafka, [*OWN["registration"], *own])
    return own


@pytest.fixture
def effects() -> tuple[Effects, Effects]:
    """Give the effects of each stream; an outage meets the second one."""
    well, struck = Effects(), Effects()
    struck.faults = {"struck 1": InterfaceError("away", {}, Exception())}
    return well, struck


@pytest.fixture
def subscriptions(streams: list[Topic], effects: tuple[Effects, Effects]) -> list[Subscription]:
    """Follow each stream with its effects, in one group."""
    follow = Followers("registration", group=f"registration-{uuid4()}")
    for stream, had in zip(streams, effects, strict=True):
        follow(stream, events=OrganisationRegistered)(had.note)
    return follow.subscriptions


async def test_an_outage_that_one_of_them_meets_makes_none_be_had_twice(
    start_service: StartService,
    kafka: KafkaSettings,
    subscriptions: list[Subscription],
    effects: tuple[Effects, Effects],
    producer: AIOKafkaProducer,
    database_url: MakeUrl,
) -> None:
    url, group = await database_url("registration"), subscriptions[0].group
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    await store.close()
    for subscription, name in zip(subscriptions, ("well", "struck"), strict=True):
        (stream,) = subscription.topics
        for number in SOME:
            record = record_of(f"{name} {number}", uuid4())
            await producer.send_and_wait(stream.name, record.value, record.key, 0, headers=list(record.headers))
    service = await start_service(*subscriptions, url=url)
    well, struck = effects

    async def tried_again() -> bool:
        return struck.calls.count("struck 1") > 1

    await eventually(tried_again, "another try")
    struck.faults.clear()

    async def told() -> bool:
        places = await acknowledged(kafka, group, lambda name: any(each.follows(name) for each in subscriptions))
        return sorted(place for place in places.values() if place) == [len(SOME)] * 2

    await eventually(told, "the group's place on both streams")
    async with service.transaction() as tx:
        had = list(await tx.session.scalars(text("SELECT name FROM effects")))
    assert sorted(had) == [f"{name} {number}" for name in ("struck", "well") for number in SOME]
    assert well.calls == [f"well {number}" for number in SOME]
