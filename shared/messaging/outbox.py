"""Messages that are committed with what they tell of; the relay sends them afterwards."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.envelope import Outgoing, pack_headers

_INSERT = text(
    """
    INSERT INTO outbox (event_id, topic, key, type, headers, payload, created_at)
    SELECT event_id, topic, key, type, headers, payload, :now
    FROM unnest(
        CAST(:event_ids AS text[]), CAST(:topics AS text[]), CAST(:keys AS bytea[]), CAST(:types AS text[]),
        CAST(:headers AS bytea[]), CAST(:payloads AS bytea[])
    ) WITH ORDINALITY AS t (event_id, topic, key, type, headers, payload, place)
    ORDER BY place
    """
)


async def write(session: AsyncSession, messages: Sequence[Outgoing], now: datetime) -> None:
    """Lay messages into the outbox in their order, in one statement, within the session's transaction."""
    await session.execute(
        _INSERT,
        {
            "event_ids": [message.event_id for message in messages],
            "topics": [message.topic for message in messages],
            "keys": [message.key for message in messages],
            "types": [message.type for message in messages],
            "headers": [pack_headers(message.headers) for message in messages],
            "payloads": [message.value for message in messages],
            "now": now,
        },
    )
