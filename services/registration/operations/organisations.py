"""What outside systems say of organisations: each changes only those that it brought here."""

from dataclasses import replace

import uuid_utils.compat as uuids

from services.registration.domain import organisation_identity
from services.registration.repository import organisations
from services.registration.repository.organisations import Organisation
from shared.database import Transaction
from shared.errors import Conflict, Outdated
from shared.events.registration import (
    OrganisationFact,
    OrganisationRegistered,
    OrganisationUpdated,
    OutsideOrganisationRegistered,
)
from shared.messaging.envelope import Envelope
from shared.observability import Origin


async def take_organisation(
    tx: Transaction, publisher: str, stated: OutsideOrganisationRegistered, sequence: int | None
) -> None:
    """Have a publisher's organisation as it states it; to say the same again changes nothing.

    One that came with a request of the same publisher's is taken for it. `sequence` is the publisher's own count, if it
    keeps one: what is not newer than what we have is refused (Outdated). Raises Conflict `organisation-known` where
    another organisation goes by this kind, country and name.
    """
    identity = organisation_identity(stated.name, stated.kind, stated.country)
    kept = await organisations.lock(tx.session, publisher, stated.external_id, identity)
    if kept is None:
        await _add(tx, publisher, stated, identity, sequence)
        return
    if sequence is not None and kept.publisher_sequence is not None and sequence <= kept.publisher_sequence:
        slug = "older-than-known"
        detail = f"This is number {sequence} of its organisation; number {kept.publisher_sequence} is known already."
        raise Outdated(slug, detail)
    if kept.identity != identity and await organisations.known(tx.session, {identity}):
        raise _known_already()
    now = replace(
        kept,
        identity=identity,
        name=stated.name,
        kind=stated.kind,
        country=stated.country,
        population=stated.population,
        external_id=stated.external_id,
    )
    changed = now != kept
    now = replace(
        now,
        publisher_sequence=kept.publisher_sequence if sequence is None else sequence,
        sequence=kept.sequence + changed,
    )
    if now != kept:
        await organisations.change(tx.session, now)
    if changed:
        tell(tx, OrganisationUpdated, now)


def tell(
    tx: Transaction, fact: type[OrganisationFact], one: Organisation, cause: Envelope | Origin | None = None
) -> None:
    """Say what an organisation is now."""
    told = fact(
        organisation_id=one.organisation_id,
        name=one.name,
        kind=one.kind,
        country=one.country,
        population=one.population,
        publisher=one.publisher,
        external_id=one.external_id,
    )
    tx.emit(told, key=one.organisation_id, sequence=one.sequence, cause=cause)


async def _add(
    tx: Transaction, publisher: str, stated: OutsideOrganisationRegistered, identity: str, sequence: int | None
) -> None:
    new = Organisation(
        uuids.uuid7(),
        identity,
        stated.name,
        stated.kind,
        stated.country,
        stated.population,
        publisher,
        stated.external_id,
        sequence,
    )
    if not await organisations.add(tx.session, [new], tx.now):
        raise _known_already()
    tell(tx, OrganisationRegistered, new)


def _known_already() -> Conflict:
    slug = "organisation-known"
    detail = "Another organisation here goes by this kind, country and name, and is not this one of yours; it stays."
    return Conflict(slug, detail)
