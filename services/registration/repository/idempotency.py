"""Keys that callers give with their requests, so that to ask twice is to ask once."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

HONOURED = timedelta(hours=24)
_KEPT = text(
    """
    SELECT k.key, k.body_hash, k.answer::text AS answer
    FROM unnest(CAST(:keys AS text[])) AS t (key)
    CROSS JOIN LATERAL (
        SELECT key, body_hash, answer FROM idempotency_keys WHERE key = t.key AND created_at > :too_old OFFSET 0
    ) k
    """
)
_KEEP = text(
    """
    INSERT INTO idempotency_keys AS k (key, body_hash, answer, created_at)
    SELECT key, body_hash, answer::jsonb, :now
    FROM unnest(CAST(:keys AS text[]), CAST(:hashes AS bytea[]), CAST(:answers AS text[])) AS t (key, body_hash, answer)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE
        SET body_hash = excluded.body_hash, answer = excluded.answer, created_at = excluded.created_at
        WHERE k.created_at <= :too_old
    RETURNING key
    """
)
_FORGET = text("DELETE FROM idempotency_keys WHERE created_at <= :too_old")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered to a key, and to which body."""

    body_hash: bytes
    answer: Mapping[str, Any]


async def kept(session: AsyncSession, keys: Collection[str], now: datetime) -> dict[str, Kept]:
    """Read what was answered to those of `keys` that are still honoured."""
    rows = await session.execute(_KEPT, {"keys": list(keys), "too_old": now - HONOURED})
    return {row.key: Kept(row.body_hash, json.loads(row.answer)) for row in rows}


async def keep(session: AsyncSession, answers: Mapping[str, Kept], now: datetime) -> bool:
    """Keep answers; false where another transaction, for which this waited, has answered one of the keys first."""
    kept_now = await session.scalars(
        _KEEP,
        {
            "keys": list(answers),
            "hashes": [each.body_hash for each in answers.values()],
            "answers": [json.dumps(each.answer) for each in answers.values()],
            "now": now,
            "too_old": now - HONOURED,
        },
    )
    return len(kept_now.all()) == len(answers)


async def forget(session: AsyncSession, now: datetime) -> None:
    """Delete the keys that are honoured no longer."""
    await session.execute(_FORGET, {"too_old": now - HONOURED})
