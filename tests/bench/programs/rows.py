"""The rows that an enrolment leaves, by bare asyncpg: what the limit programs write, one at a time or set-wise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuids
from asyncpg.pool import PoolConnectionProxy
from pydantic_core import to_json

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
SEPARATOR = b"\x1f"

INBOX = """
    INSERT INTO inbox (consumer, source, id, at, outcome)
    SELECT 'bare', source, id, $3, 'done' FROM unnest($1::text[], $2::text[]) AS t (source, id)
    ON CONFLICT DO NOTHING RETURNING source, id
"""
PUBLISHERS = "SELECT name FROM publishers WHERE name = ANY($1::text[])"
PARKED = """
    SELECT DISTINCT topic, key FROM parked
    WHERE consumer = 'bare' AND (topic, key) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
"""
LOCK = """
    SELECT workshop_id, attendance, on_offer, capacity, confirmed, offered, waitlisted, sequence FROM seats
    WHERE workshop_id = ANY($1::uuid[]) ORDER BY workshop_id, attendance FOR UPDATE
"""
RULES = """
    SELECT workshop_id, state, opens_at, closes_at, starts_at, approval, external_url, per_organisation
    FROM workshops WHERE workshop_id = ANY($1::uuid[])
"""
KNOWN_PEOPLE = """
    SELECT p.identity, p.person_id, p.organisation_id, e.workshop_id, e.state
    FROM people p LEFT JOIN enrolments e ON e.person_id = p.person_id AND e.workshop_id = ANY($2::uuid[])
        AND e.state IN ('pending_approval', 'confirmed', 'waitlisted', 'offered', 'declined')
    WHERE p.identity = ANY($1::text[])
"""
KNOWN_ORGANISATIONS = "SELECT identity, organisation_id FROM organisations WHERE identity = ANY($1::text[])"
ADD_ORGANISATIONS = """
    INSERT INTO organisations (organisation_id, identity, name, kind, country, population, sequence, registered_at)
    SELECT id, identity, name, 'city', 'ES', 39844, 1, $4
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (id, identity, name)
    ORDER BY identity ON CONFLICT (identity) DO NOTHING RETURNING organisation_id
"""
ADD_PEOPLE = """
    INSERT INTO people (person_id, identity, email, name, language, organisation_id, sequence, registered_at)
    SELECT id, identity, email, name, 'ca', organisation_id, 1, $6
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[])
        AS t (id, identity, email, name, organisation_id)
    ORDER BY identity ON CONFLICT (identity) DO NOTHING RETURNING person_id
"""
ADD_ENROLMENTS = """
    WITH added AS (
        INSERT INTO enrolments (enrolment_id, workshop_id, person_id, organisation_id, attendance, state, sequence, by,
            accepted_at, requested_at, updated_at, privacy_version, commitment_accepted, groups)
        SELECT id, workshop_id, person_id, organisation_id, 'in_person', 'confirmed', 1, 'participant',
            $5, NULL, $5, '2026-01', false, '{}'
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY
            AS t (id, workshop_id, person_id, organisation_id, place)
        ORDER BY place RETURNING enrolment_id, number, state, by
    ), stepped AS (
        INSERT INTO steps (enrolment_id, sequence, at, before, after, by)
        SELECT enrolment_id, 1, $5, NULL, state, by FROM added
    )
    SELECT enrolment_id, number FROM added
"""
CHANGE_SEATS = """
    UPDATE seats s SET confirmed = s.confirmed + t.confirmed, sequence = s.sequence + 1
    FROM unnest($1::uuid[], $2::integer[]) AS t (workshop_id, confirmed)
    WHERE s.workshop_id = t.workshop_id AND s.attendance = 'in_person'
"""
TAKE_A_SEAT = """
    UPDATE seats SET confirmed = confirmed + 1, sequence = sequence + 1
    WHERE workshop_id = $1 AND attendance = 'in_person' AND confirmed + offered < capacity
    RETURNING capacity, confirmed, sequence
"""
ADD_PERSON = """
    INSERT INTO people (person_id, identity, email, name, language, organisation_id, sequence, registered_at)
    VALUES ($1, $2, $2, $3, 'ca', $4, 1, $5) ON CONFLICT (identity) DO NOTHING
"""
ADD_ENROLMENT = """
    WITH added AS (
        INSERT INTO enrolments (enrolment_id, workshop_id, person_id, organisation_id, attendance, state, sequence, by,
            accepted_at, requested_at, updated_at, privacy_version, commitment_accepted, groups)
        VALUES ($1, $2, $3, $4, 'in_person', 'confirmed', 1, 'participant', $5, NULL, $5, '2026-01', false, '{}')
        RETURNING enrolment_id, number, state, by
    ), stepped AS (
        INSERT INTO steps (enrolment_id, sequence, at, before, after, by)
        SELECT enrolment_id, 1, $5, NULL, state, by FROM added
    )
    SELECT number FROM added
"""
OUTBOX = """
    INSERT INTO outbox (event_id, topic, key, type, headers, payload, created_at)
    SELECT event_id, topic, key, type, headers, payload, $7
    FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::bytea[]) WITH ORDINALITY
        AS t (event_id, topic, key, type, headers, payload, place)
    ORDER BY place
"""
WAITING = """
    SELECT id, topic, key, headers, payload FROM outbox
    WHERE published_at IS NULL AND refused IS NULL ORDER BY id LIMIT 1000
"""
MARK = "UPDATE outbox SET published_at = now() WHERE id = ANY($1)"


@dataclass(slots=True)
class Outbox:
    """Messages of one transaction, column by column."""

    now: datetime
    event_ids: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def add(self, topic: str, kind: str, key: UUID, sequence: int, data: Mapping[str, object]) -> None:
        """Add a message, with the headers that ours has."""
        event_id, subject = str(uuids.uuid7()), str(key)
        self.event_ids.append(event_id)
        self.topics.append(topic)
        self.keys.append(subject.encode())
        self.types.append(kind)
        self.headers.append(
            f"ce_specversion\x1f1.0\x1fce_id\x1f{event_id}\x1fce_type\x1f{kind}\x1fce_source\x1f/convoca/registration"
            f"\x1fce_subject\x1f{subject}\x1fce_time\x1f{self.now.isoformat()}\x1fce_dataschema\x1furn:convoca:{kind}:1"
            f"\x1fce_sequence\x1f{sequence:010d}\x1fce_causationid\x1f{event_id}\x1fce_correlationid\x1f{event_id}"
            "\x1fcontent-type\x1fapplication/json".encode()
        )
        self.payloads.append(to_json(data))

    def person(self, person_id: UUID, name: str, email: str, organisation_id: UUID) -> None:
        """Tell of a person."""
        data = {
            "person_id": person_id, "name": name, "email": email, "language": "ca", "organisation_id": organisation_id,
        }  # fmt: skip
        self.add("registration.people", "person.registered", person_id, 1, data)

    def organisation(self, organisation_id: UUID, name: str) -> None:
        """Tell of an organisation."""
        data = {
            "organisation_id": organisation_id, "name": name, "kind": "city", "country": "ES", "population": 39844,
        }  # fmt: skip
        self.add("registration.organisations", "organisation.registered", organisation_id, 1, data)

    def enrolment(
        self, enrolment_id: UUID, workshop_id: UUID, person_id: UUID, organisation_id: UUID, number: int
    ) -> None:
        """Tell of an enrolment."""
        data = {
            "enrolment_id": enrolment_id, "workshop_id": workshop_id, "person_id": person_id,
            "organisation_id": organisation_id, "attendance": "in_person", "state": "confirmed", "number": number,
            "waitlist_position": None, "accepted_at": self.now, "requested_at": None, "reason": None,
            "by": "participant",
        }  # fmt: skip
        self.add("registration.enrolments", "enrolment.created", enrolment_id, 1, data)

    def seats(self, workshop_id: UUID, capacity: int, confirmed: int, sequence: int) -> None:
        """Tell of a workshop's seats."""
        count = {
            "capacity": capacity, "confirmed": confirmed, "offered": 0, "waitlisted": 0,
            "available": capacity - confirmed,
        }  # fmt: skip
        data = {"workshop_id": workshop_id, "seats": {"in_person": count}}
        self.add("registration.seats", "seats.changed", workshop_id, sequence, data)

    async def write(self, connection: Connection) -> None:
        """Lay all into the outbox, in one statement."""
        columns = (self.event_ids, self.topics, self.keys, self.types, self.headers, self.payloads)
        await connection.execute(OUTBOX, *columns, self.now)


def headers_of(packed: bytes) -> list[tuple[str, bytes]]:
    """Read headers as `Outbox.add` writes them."""
    parts = packed.split(SEPARATOR)
    return [(name.decode(), value) for name, value in zip(parts[::2], parts[1::2], strict=True)]
