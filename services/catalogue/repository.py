"""Every question that the catalogue asks of its database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, literal, text, tuple_, type_coerce
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from services.catalogue.domain import State, fold, is_slug
from services.catalogue.tables import Workshop

PUBLIC: frozenset[State] = frozenset({"scheduled", "held", "cancelled"})
EVERY: frozenset[State] = PUBLIC | {"draft"}
NEWCOMERS = 7_243_002
"""The advisory lock under which workshops come into being, so that no two take one name or one identity."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a workshop must be to be listed; what is None or empty asks for nothing.

    `since` and `until` bound a time in which at least one session falls. `mode` is a way in which one can take
    part, which a hybrid session has too.
    """

    states: frozenset[State] = PUBLIC
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None
    theme: str | None = None
    mode: str | None = None
    programme: str | None = None
    group: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of workshops: after the one that starts then and has this id."""

    starts_at: datetime
    workshop_id: UUID


async def workshop(session: AsyncSession, key: UUID | str) -> Workshop | None:
    """Find a workshop by its id or its slug."""
    return None if (found := _by(key)) is None else await session.scalar(found)


async def lock(session: AsyncSession, key: UUID | str) -> Workshop | None:
    """Find a workshop and keep it from changing until the transaction ends."""
    return None if (found := _by(key)) is None else await session.scalar(found.with_for_update())


async def lock_outside(session: AsyncSession, publisher: str, external_id: str) -> Workshop | None:
    """Find a publisher's workshop and keep it from changing until the transaction ends."""
    found = select(Workshop).where(Workshop.publisher == publisher, Workshop.external_id == external_id)
    return await session.scalar(found.with_for_update())


async def lock_past(session: AsyncSession, now: datetime, limit: int) -> list[Workshop]:
    """Find scheduled workshops whose last session is over, leaving out those that somebody is changing."""
    past = select(Workshop).where(Workshop.state == "scheduled", col(Workshop.ends_at) <= now)
    ordered = past.order_by(col(Workshop.ends_at)).limit(limit).with_for_update(skip_locked=True)
    return list(await session.scalars(ordered))


async def wait_for_newcomers(session: AsyncSession) -> None:
    """Let no other workshop come into being until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": NEWCOMERS})


async def slugs_like(session: AsyncSession, wanted: str) -> set[str]:
    """Give the slugs that are taken of `wanted` and its numbered followers."""
    slug = col(Workshop.slug)
    taken = select(slug).where((slug == wanted) | slug.regexp_match(f"^{wanted}-[0-9]+$"))
    return set(await session.scalars(taken))


async def workshops(
    session: AsyncSession, criteria: Criteria, after: Position | None, limit: int | None
) -> list[Workshop]:
    """List workshops in the order of their first session; all of them without a `limit`."""
    listed = select(Workshop).where(*_conditions(criteria))
    order = (col(Workshop.starts_at), col(Workshop.workshop_id))
    if after is not None:
        listed = listed.where(tuple_(*order) > (after.starts_at, after.workshop_id))
    return list(await session.scalars(listed.order_by(*order).limit(limit)))


def _by(key: UUID | str) -> SelectOfScalar[Workshop] | None:
    """Ask for a workshop by what may be its id or its slug; None for what is neither."""
    try:
        workshop_id = key if isinstance(key, UUID) else UUID(key)
    except ValueError:
        return select(Workshop).where(Workshop.slug == key) if is_slug(str(key)) else None
    return select(Workshop).where(Workshop.workshop_id == workshop_id)


def _conditions(criteria: Criteria) -> list[ColumnElement[bool]]:
    content = type_coerce(col(Workshop.content), JSONB)
    conditions: list[ColumnElement[bool]] = [col(Workshop.state).in_(sorted(criteria.states))]
    conditions += [col(Workshop.words).contains(word, autoescape=True) for word in fold(criteria.q).split()]
    if criteria.since is not None or criteria.until is not None:
        asked = literal(Range(criteria.since, criteria.until), TSTZRANGE)
        conditions.append(col(Workshop.occupied).bool_op("&&")(asked))
    if criteria.mode is not None:
        conditions.append(col(Workshop.modes).bool_op("&&")([criteria.mode, "hybrid"]))
    if criteria.theme is not None:
        conditions.append(content.contains({"themes": [criteria.theme]}))
    for name, value in (
        ("programme", criteria.programme),
        ("group", criteria.group),
        ("language", criteria.language),
    ):
        if value is not None:
            conditions.append(content[name].astext == value)
    return conditions
