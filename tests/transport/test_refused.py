"""What the broker refused for good is settled by staff: sent again, or given up; what waits behind it is sent then."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import NotFound
from shared.events.topics import Topic
from shared.messaging import refused
from shared.messaging.refused import Refused
from shared.settings import KafkaSettings
from tests.conftest import MakeUrl
from tests.transport.conftest import StartService, make_service
from tests.transport.test_delivery import emit, everything_sent, read_all
from tests.waiting import eventually

Settle = Callable[[AsyncSession, int], Awaitable[Refused]]
SET_ASIDE = text("UPDATE outbox SET refused = 'MessageSizeTooLargeError' WHERE id = :id")
FIRST = text("SELECT min(id) FROM outbox")


@pytest.mark.parametrize(("do", "count"), [(refused.retry, 3), (refused.discard, 2)])
async def test_a_refused_message_is_settled_and_what_is_behind_it_follows(
    do: Settle, count: int, kafka: KafkaSettings, stream: Topic, database_url: MakeUrl, start_service: StartService
) -> None:
    url = await database_url("registration")
    resting = make_service(kafka, url)
    await emit(resting, stream, "one", "two", "three")
    async with resting.transaction() as tx:
        number = await tx.session.scalar(FIRST)
        await tx.session.execute(SET_ASIDE, {"id": number})
    async with resting.transaction() as tx:
        [found] = await refused.listed(tx.session, after=0, limit=10)
        assert (found.id, found.topic, found.reason, found.behind) == (
            number,
            stream.name,
            "MessageSizeTooLargeError",
            2,
        )
        with pytest.raises(NotFound):
            await refused.retry(tx.session, number + 1)
        assert await do(tx.session, number) == found
        assert await refused.listed(tx.session, after=0, limit=10) == []
        with pytest.raises(NotFound):
            await refused.discard(tx.session, number)
    await resting.database.close()
    service = await start_service(url=url)
    await eventually(lambda: everything_sent(service), "the messages")
    sent = await read_all(kafka, stream, count)
    assert len(sent) == count
    assert ("one" in sent[0][1].decode()) == (do is refused.retry)
