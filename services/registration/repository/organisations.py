"""Organisations for which people act: found by what they are called, changed for the outside system they are of."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events.base import OrganisationKind

_KNOWN = text(
    """
    SELECT o.identity, o.organisation_id
    FROM unnest(CAST(:identities AS text[])) AS t (identity)
    CROSS JOIN LATERAL (SELECT identity, organisation_id FROM organisations WHERE identity = t.identity OFFSET 0) o
    """
)
_ADD = text(
    """
    INSERT INTO organisations (organisation_id, identity, name, kind, country, population, publisher, external_id,
        publisher_sequence, sequence, registered_at)
    SELECT organisation_id, identity, name, kind, country, population, publisher, external_id,
        publisher_sequence, 1, :now
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:identities AS text[]), CAST(:names AS text[]), CAST(:kinds AS text[]),
        CAST(:countries AS text[]), CAST(:populations AS integer[]), CAST(:publishers AS text[]),
        CAST(:external_ids AS text[]), CAST(:publisher_sequences AS bigint[])
    ) AS t (organisation_id, identity, name, kind, country, population, publisher, external_id, publisher_sequence)
    ORDER BY identity
    ON CONFLICT (identity) DO NOTHING
    RETURNING organisation_id
    """
)
_LOCK = text(
    """
    SELECT organisation_id, identity, name, kind, country, population, publisher, external_id, publisher_sequence,
        sequence
    FROM organisations
    WHERE publisher = :publisher AND (external_id = :external_id OR external_id IS NULL AND identity = :identity)
    ORDER BY external_id NULLS LAST LIMIT 1 FOR NO KEY UPDATE
    """
)
_CHANGE = text(
    """
    UPDATE organisations SET identity = :identity, name = :name, kind = :kind, country = :country,
        population = :population, external_id = :external_id, publisher_sequence = :publisher_sequence,
        sequence = :sequence
    WHERE organisation_id = :organisation_id
    """
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as it is stated; `publisher` is the outside system that brought it, if one did."""

    organisation_id: UUID
    identity: str
    name: str
    kind: OrganisationKind
    country: str | None
    population: int | None
    publisher: str | None = None
    external_id: str | None = None
    publisher_sequence: int | None = None
    sequence: int = 1


async def known(session: AsyncSession, identities: Collection[str]) -> dict[str, UUID]:
    """Find organisations by their identity."""
    if not identities:
        return {}
    rows = await session.execute(_KNOWN, {"identities": list(identities)})
    return {row.identity: row.organisation_id for row in rows}


async def add(session: AsyncSession, organisations: Sequence[Organisation], now: datetime) -> set[UUID]:
    """Add organisations; answers those that really were new: another transaction may have been quicker."""
    rows = await session.scalars(
        _ADD,
        {
            "ids": [each.organisation_id for each in organisations],
            "identities": [each.identity for each in organisations],
            "names": [each.name for each in organisations],
            "kinds": [each.kind for each in organisations],
            "countries": [each.country for each in organisations],
            "populations": [each.population for each in organisations],
            "publishers": [each.publisher for each in organisations],
            "external_ids": [each.external_id for each in organisations],
            "publisher_sequences": [each.publisher_sequence for each in organisations],
            "now": now,
        },
    )
    return set(rows)


async def lock(session: AsyncSession, publisher: str, external_id: str, identity: str) -> Organisation | None:
    """Find a publisher's organisation and keep it from changing until the transaction ends.

    It is the one that it calls so or, of those that it has not named yet, the one of this identity.
    """
    named = {"publisher": publisher, "external_id": external_id, "identity": identity}
    row = (await session.execute(_LOCK, named)).one_or_none()
    return None if row is None else Organisation(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def change(session: AsyncSession, organisation: Organisation) -> None:
    """Write down a locked organisation as it is now."""
    names = ("organisation_id", "identity", "name", "kind", "country", "population", "external_id",
             "publisher_sequence", "sequence")  # fmt: skip
    await session.execute(_CHANGE, {name: getattr(organisation, name) for name in names})
