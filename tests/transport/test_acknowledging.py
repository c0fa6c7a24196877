"""A group's place is told with others, a little later; who stops tells it before leaving."""

from uuid import uuid4

from aiokafka import AIOKafkaProducer

from deploy.operations.places import acknowledged
from shared.database import Database
from shared.events.topics import Topic
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, make_effects, make_service, record_of, subscription_of
from tests.waiting import eventually

SOME = 3


async def test_who_stops_has_said_how_far_it_has_come(
    database_url: MakeUrl, kafka: KafkaSettings, stream: Topic, producer: AIOKafkaProducer
) -> None:
    effects, url, key = Effects(), await database_url("registration"), uuid4()
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    await store.close()
    subscription = subscription_of(effects, stream, name=stream.name)
    async with make_service(kafka, url, subscription).running():
        for number in range(SOME):
            record = record_of(f"city {number}", key, number + 1)
            await producer.send_and_wait(stream.name, record.value, record.key, 0, headers=list(record.headers))

        async def all_were_had() -> bool:
            return len(effects.calls) == SOME

        await eventually(all_were_had, "the effects")
    places = await acknowledged(kafka, subscription.group, lambda name: name == stream.name)
    assert sorted(place for place in places.values() if place) == [SOME]
