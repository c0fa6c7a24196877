"""Registration's own copy of the workshops."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registration.domain import Dates
from shared.events.catalogue import JoinLink, WorkshopFact, WorkshopScheduled
from shared.events.registration import OutsideReference

_RULES = "workshop_id, state, opens_at, closes_at, starts_at, approval, external_url, per_organisation"
_BY_ID = text(f"SELECT {_RULES} FROM workshops WHERE workshop_id = ANY(CAST(:ids AS uuid[]))")  # noqa: S608 - our own words
_BY_SLUG = text(
    f"SELECT {_RULES}, data FROM workshops WHERE slug = :slug ORDER BY sequence DESC LIMIT 1"  # noqa: S608
)
_WHOLE = text(f"SELECT {_RULES}, data FROM workshops WHERE workshop_id = :id")  # noqa: S608
_RESOLVE = text(
    """
    SELECT w.publisher, w.external_id, w.workshop_id FROM workshops w
    JOIN unnest(CAST(:publishers AS text[]), CAST(:external_ids AS text[])) AS t (publisher, external_id)
        ON w.publisher = t.publisher AND w.external_id = t.external_id
    """
)
_KEEP = text(
    """
    INSERT INTO workshops AS w (workshop_id, sequence, slug, state, publisher, external_id, opens_at, closes_at,
        starts_at, approval, external_url, per_organisation, data)
    VALUES (:workshop_id, :sequence, :slug, :state, :publisher, :external_id, :opens_at, :closes_at, :starts_at,
        :approval, :external_url, :per_organisation, CAST(:data AS text)::jsonb)
    ON CONFLICT (workshop_id) DO UPDATE SET sequence = excluded.sequence, slug = excluded.slug,
        state = excluded.state, publisher = excluded.publisher, external_id = excluded.external_id,
        opens_at = excluded.opens_at, closes_at = excluded.closes_at, starts_at = excluded.starts_at,
        approval = excluded.approval, external_url = excluded.external_url,
        per_organisation = excluded.per_organisation, data = excluded.data
    WHERE excluded.sequence > w.sequence
    RETURNING workshop_id
    """
)
_KEEP_JOINING = text(
    """
    INSERT INTO joining AS j (workshop_id, sequence, links)
    VALUES (:workshop_id, :sequence, CAST(:links AS text)::jsonb)
    ON CONFLICT (workshop_id) DO UPDATE SET sequence = excluded.sequence, links = excluded.links
    WHERE excluded.sequence > j.sequence
    RETURNING j.workshop_id
    """
)
_LINKS = text(
    """
    SELECT (link->>'number')::integer AS number, link->>'join_url' AS join_url
    FROM joining, jsonb_array_elements(links) AS link WHERE workshop_id = :id ORDER BY number
    """
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether and how one gets into a workshop."""

    workshop_id: UUID
    dates: Dates
    approval: Literal["automatic", "staff"]
    external_url: str | None
    per_organisation: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A workshop with what pages tell of it; what happened last is not kept, so the fact's class means nothing."""

    rules: Rules
    fact: WorkshopFact


async def rules_of(session: AsyncSession, workshop_ids: Collection[UUID]) -> dict[UUID, Rules]:
    """Read the rules of those workshops that are known."""
    rows = await session.execute(_BY_ID, {"ids": list(workshop_ids)})
    return {row.workshop_id: _rules(row) for row in rows}


async def by_slug(session: AsyncSession, slug: str) -> Whole | None:
    """Find the workshop that goes by `slug` now."""
    return _whole((await session.execute(_BY_SLUG, {"slug": slug})).one_or_none())


async def by_id(session: AsyncSession, workshop_id: UUID) -> Whole | None:
    """Read one workshop whole."""
    return _whole((await session.execute(_WHOLE, {"id": workshop_id})).one_or_none())


async def resolve(session: AsyncSession, references: Collection[OutsideReference]) -> dict[OutsideReference, UUID]:
    """Find the workshops that outside systems call by names of their own."""
    if not references:
        return {}
    rows = await session.execute(
        _RESOLVE,
        {
            "publishers": [each.publisher for each in references],
            "external_ids": [each.external_id for each in references],
        },
    )
    return {OutsideReference(publisher=row.publisher, external_id=row.external_id): row.workshop_id for row in rows}


async def keep(session: AsyncSession, fact: WorkshopFact, sequence: int) -> bool:
    """Keep what the catalogue tells of a workshop; false where something newer is kept already."""
    kept = await session.scalar(
        _KEEP,
        {
            "workshop_id": fact.workshop_id,
            "sequence": sequence,
            "slug": fact.slug,
            "state": fact.state,
            "publisher": fact.publisher,
            "external_id": fact.external_id,
            "opens_at": fact.registration.opens_at,
            "closes_at": fact.registration.closes_at,
            "starts_at": _first_start(fact),
            "approval": fact.registration.approval,
            "external_url": fact.registration.external_url and str(fact.registration.external_url),
            "per_organisation": fact.per_organisation,
            "data": fact.model_dump_json(),
        },
    )
    return kept is not None


async def keep_joining(session: AsyncSession, workshop_id: UUID, sequence: int, links: Sequence[JoinLink]) -> bool:
    """Keep how one joins a workshop online; false where something as new is kept already."""
    packed = "[" + ",".join(link.model_dump_json() for link in links) + "]"
    kept = await session.scalar(_KEEP_JOINING, {"workshop_id": workshop_id, "sequence": sequence, "links": packed})
    return kept is not None


async def join_links(session: AsyncSession, workshop_id: UUID) -> dict[int, str]:
    """Read the join links of a workshop by the number of the session."""
    return {row.number: row.join_url for row in await session.execute(_LINKS, {"id": workshop_id})}


def _first_start(fact: WorkshopFact) -> datetime | None:
    return min((session.starts_at for session in fact.sessions), default=None)


def _rules(row: Row[Any]) -> Rules:
    dates = Dates(row.state, row.opens_at, row.closes_at, row.starts_at)
    return Rules(row.workshop_id, dates, row.approval, row.external_url, row.per_organisation)


def _whole(row: Row[Any] | None) -> Whole | None:
    if row is None:
        return None
    fact = row.data
    read = WorkshopScheduled.model_validate_json(fact) if isinstance(fact, str) else WorkshopScheduled(**fact)
    return Whole(_rules(row), read)
