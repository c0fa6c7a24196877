"""Outside systems that may write: who they are, by topic or by token."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import Conflict, Invalid

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_NAME = 60


def source_of(publisher: str) -> str:
    """Give the `ce_source` that a publisher's events carry."""
    return f"/publishers/{publisher}"


def publisher_of(topic: str) -> str | None:
    """Tell whose inbound topic this is; None for a topic that is none."""
    inbound, _, rest = topic.partition(".")
    return rest.partition(".")[2] or None if inbound == "inbound" else None


def digest(token: str) -> bytes:
    """Give what is kept of a token: it is long and random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def require_name(name: str) -> None:
    """Raise Invalid where an outside system cannot be called so, be it one that writes or one that reads."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        detail = f"a system's name is lower-case letters, digits and single hyphens, {LONGEST_NAME} at the most"
        raise Invalid(detail, [("name", detail)])


async def add(session: AsyncSession, name: str, now: datetime) -> str:
    """Let a system write; answers its HTTP token, which is kept nowhere. Raises Invalid, or Conflict where known."""
    require_name(name)
    token = secrets.token_urlsafe(32)
    added = await session.scalar(
        text(
            """
            INSERT INTO publishers (name, token_hash, created_at) VALUES (:name, :hash, :now)
            ON CONFLICT (name) DO NOTHING RETURNING name
            """
        ),
        {"name": name, "hash": digest(token), "now": now},
    )
    if added is None:
        slug = "publisher-exists"
        raise Conflict(slug, f"There is a publisher {name} already; remove it first to make its token anew.")
    return token


async def remove(session: AsyncSession, name: str) -> bool:
    """Stop taking what a system writes; tells whether it was known."""
    removed = await session.scalar(text("DELETE FROM publishers WHERE name = :name RETURNING name"), {"name": name})
    return removed is not None


async def known(session: AsyncSession, names: Iterable[str]) -> set[str]:
    """Tell which of `names` are publishers."""
    rows = await session.scalars(
        text("SELECT name FROM publishers WHERE name = ANY(CAST(:names AS text[]))"), {"names": list(names)}
    )
    return set(rows)
