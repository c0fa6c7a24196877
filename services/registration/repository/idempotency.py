"""Keys that callers give with their requests, so that to ask twice is to ask once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

HONOURED = timedelta(hours=24)
_CLAIM = text(
    """
    INSERT INTO idempotency_keys AS k (key, body_hash, created_at)
    SELECT key, body_hash, :now FROM unnest(CAST(:keys AS text[]), CAST(:hashes AS bytea[])) AS t (key, body_hash)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, answer = NULL, created_at = excluded.created_at
    WHERE k.created_at <= :too_old
    RETURNING key
    """
)
_READ = text(
    "SELECT key, body_hash, answer::text AS answer FROM idempotency_keys WHERE key = ANY(CAST(:keys AS text[]))"
)
_ANSWER = text(
    """
    UPDATE idempotency_keys k SET answer = t.answer::jsonb
    FROM unnest(CAST(:keys AS text[]), CAST(:answers AS text[])) AS t (key, answer) WHERE k.key = t.key
    """
)
_RELEASE = text("DELETE FROM idempotency_keys WHERE key = ANY(CAST(:keys AS text[]))")
_FORGET = text("DELETE FROM idempotency_keys WHERE created_at <= :too_old")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered to a key, and to which body."""

    body_hash: bytes
    answer: Mapping[str, Any]


async def claim(session: AsyncSession, bodies: Mapping[str, bytes], now: datetime) -> dict[str, Kept]:
    """Claim keys for this transaction; answers those that were taken, once whoever took them has committed."""
    claimed = set(
        await session.scalars(
            _CLAIM,
            {"keys": list(bodies), "hashes": list(bodies.values()), "now": now, "too_old": now - HONOURED},
        )
    )
    taken = [key for key in bodies if key not in claimed]
    if not taken:
        return {}
    rows = await session.execute(_READ, {"keys": taken})
    return {row.key: Kept(row.body_hash, json.loads(row.answer)) for row in rows}


async def answer(session: AsyncSession, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what is answered to keys that this transaction has claimed."""
    if answers:
        packed = [json.dumps(each) for each in answers.values()]
        await session.execute(_ANSWER, {"keys": list(answers), "answers": packed})


async def release(session: AsyncSession, keys: list[str]) -> None:
    """Give back keys under which nothing was decided."""
    if keys:
        await session.execute(_RELEASE, {"keys": keys})


async def forget(session: AsyncSession, now: datetime) -> None:
    """Delete the keys that are honoured no longer."""
    await session.execute(_FORGET, {"too_old": now - HONOURED})
