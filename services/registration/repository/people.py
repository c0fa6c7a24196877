"""People: found by who they are, added when new, never changed here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.registration.domain import State
from shared.events.base import Language

_PEOPLE = text(
    """
    SELECT p.identity, p.person_id, p.organisation_id, e.workshop_id, e.state
    FROM unnest(CAST(:identities AS text[])) AS t (identity)
    CROSS JOIN LATERAL (
        SELECT identity, person_id, organisation_id FROM people WHERE identity = t.identity OFFSET 0
    ) p
    LEFT JOIN LATERAL (
        SELECT workshop_id, state FROM enrolments
        WHERE person_id = p.person_id AND workshop_id = ANY(CAST(:workshop_ids AS uuid[]))
            AND state IN ('pending_approval', 'confirmed', 'waitlisted', 'offered', 'declined')
        OFFSET 0
    ) e ON true
    """
)
"""Person by person, by their indexes: a plan that was made while the tables were small would read them whole."""
_NAMED = text(
    """
    SELECT p.name, p.email, o.name AS organisation
    FROM people p LEFT JOIN organisations o ON o.organisation_id = :organisation_id WHERE p.person_id = :person_id
    """
)
_ADD_PEOPLE = text(
    """
    INSERT INTO people (person_id, identity, email, name, language, organisation_id, sequence, registered_at)
    SELECT person_id, identity, email, name, language, organisation_id, 1, :now
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:identities AS text[]), CAST(:emails AS text[]), CAST(:names AS text[]),
        CAST(:languages AS text[]), CAST(:organisation_ids AS uuid[])
    ) AS t (person_id, identity, email, name, language, organisation_id)
    ORDER BY identity
    ON CONFLICT (identity) DO NOTHING
    RETURNING person_id
    """
)


@dataclass(frozen=True, slots=True)
class Known:
    """A person whom we know, with what they are in the workshops that were asked about."""

    person_id: UUID
    organisation_id: UUID | None
    past: Mapping[UUID, frozenset[State]]


@dataclass(frozen=True, slots=True)
class Named:
    """Who somebody is, to be shown to themselves."""

    name: str
    email: str
    organisation: str | None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to be added."""

    person_id: UUID
    identity: str
    email: str
    name: str
    language: Language
    organisation_id: UUID | None


async def known(session: AsyncSession, identities: Collection[str], workshop_ids: Collection[UUID]) -> dict[str, Known]:
    """Find people by their identity, with their live and refused enrolments in `workshop_ids`."""
    rows = await session.execute(_PEOPLE, {"identities": list(identities), "workshop_ids": list(workshop_ids)})
    found: dict[str, Known] = {}
    for row in rows:
        past: Mapping[UUID, frozenset[State]] = found[row.identity].past if row.identity in found else {}
        if row.workshop_id is not None:
            past = {**past, row.workshop_id: past.get(row.workshop_id, frozenset()) | {row.state}}
        found[row.identity] = Known(row.person_id, row.organisation_id, past)
    return found


async def named(session: AsyncSession, person_id: UUID, organisation_id: UUID | None) -> Named:
    """Read who a person is, and what the organisation is called for which they take part."""
    row = (await session.execute(_NAMED, {"person_id": person_id, "organisation_id": organisation_id})).one()
    return Named(row.name, row.email, row.organisation)


async def add(session: AsyncSession, people: Sequence[NewPerson], now: datetime) -> set[UUID]:
    """Add people; answers those who really were new: another transaction may have been quicker."""
    rows = await session.scalars(
        _ADD_PEOPLE,
        {
            "ids": [each.person_id for each in people],
            "identities": [each.identity for each in people],
            "emails": [each.email for each in people],
            "names": [each.name for each in people],
            "languages": [each.language for each in people],
            "organisation_ids": [each.organisation_id for each in people],
            "now": now,
        },
    )
    return set(rows)
