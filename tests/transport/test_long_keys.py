"""A key that no index holds costs only its own record: the stream goes on, and so does all that the service says."""

import secrets
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import text

from shared.database import Database
from shared.errors import Conflict
from shared.events.topics import Topic, dead_letters
from shared.messaging import dead_letter_desk
from shared.messaging.envelope import LONGEST_KEY
from shared.runtime import Service
from shared.settings import KafkaSettings
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, StartService, make_effects, record_of, subscription_of
from tests.waiting import eventually


async def test_a_record_with_an_endless_key_is_laid_down_and_the_next_is_taken(
    start_service: StartService, stream: Topic, kafka: KafkaSettings, producer: AIOKafkaProducer, database_url: MakeUrl
) -> None:
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    await store.close()
    service = await start_service(subscription_of(Effects(), stream, name=stream.name), url=url)
    key = secrets.token_bytes(5 * LONGEST_KEY)  # nothing that compresses
    for name, its_key in (("bad", key), ("good", b"k" * LONGEST_KEY)):
        record = record_of(name, uuid4())
        headers = list(record.headers)
        await producer.send_and_wait(stream.name, record.value, its_key, headers=headers, partition=0)

    async def all_is_said() -> bool:
        async with service.transaction() as tx:
            names = list(await tx.session.scalars(text("SELECT name FROM effects")))
            unsent = await tx.session.scalar(text("SELECT count(*) FROM outbox WHERE published_at IS NULL"))
            return names == ["good"] and unsent == 0

    await eventually(all_is_said, "the good record to be taken and the dead letter to be sent")
    assert await _keys_laid_down(kafka, stream) == [(None, key)]
    await _cannot_be_tried_again(service, key)


async def _keys_laid_down(kafka: KafkaSettings, stream: Topic) -> list[tuple[bytes | None, bytes]]:
    """Give key and `dl-key` of the dead letters that lay on a stream."""
    topic = dead_letters("registration").name
    reader = AIOKafkaConsumer(topic, bootstrap_servers=kafka.kafka_servers, auto_offset_reset="earliest")
    await reader.start()
    found: list[tuple[bytes | None, bytes]] = []

    async def there() -> bool:
        for batch in (await reader.getmany(timeout_ms=100)).values():
            for each in batch:
                headers = dict(each.headers)
                if headers["dl-topic"] == stream.name.encode():
                    found.append((each.key, headers["dl-key"]))
        return bool(found)

    try:
        await eventually(there, "the dead letter")
    finally:
        await reader.stop()
    return found


async def _cannot_be_tried_again(service: Service, key: bytes) -> None:
    async with service.transaction() as tx:
        [kept] = await dead_letter_desk.listed(tx.session, ["open"], after=0, limit=10)
        assert kept.letter.record.key == key
    with pytest.raises(Conflict, match="more than 1000 bytes"):
        async with service.transaction() as tx:
            await dead_letter_desk.retry(tx.session, kept.id, tx.now)
    async with service.transaction() as tx:
        assert (await dead_letter_desk.find(tx.session, kept.id)).state == "open"
