"""Who asks: known people and organisations are recognised and left as they are, new ones registered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import uuid_utils.compat as uuids

from services.registration.domain import State
from services.registration.operations.organisations import tell
from services.registration.operations.requests import Candidate
from services.registration.repository import organisations, people
from services.registration.repository.organisations import Organisation
from services.registration.repository.people import Known, NewPerson
from shared.database import Transaction
from shared.events.registration import OrganisationRegistered, PersonRegistered


@dataclass(frozen=True, slots=True)
class Recognised:
    """Whom we know of those who ask, by identity; an organisation that is new has the id that it would get."""

    people: Mapping[str, Known]
    organisations: Mapping[str, UUID]
    new_organisations: frozenset[str]

    def organisation_of(self, candidate: Candidate) -> UUID | None:
        """Give the organisation that a candidate acts for: the one named or, of a known person, their own."""
        if candidate.organisation is not None:
            return self.organisations[candidate.organisation]
        known = self.people.get(candidate.person)
        return known.organisation_id if known else None

    def in_state(self, states: Collection[State]) -> Mapping[UUID, frozenset[str]]:
        """Give those of each workshop who are in it in one of these states."""
        found: dict[UUID, set[str]] = {}
        for identity, one in self.people.items():
            for workshop_id, past in one.past.items():
                if not past.isdisjoint(states):
                    found.setdefault(workshop_id, set()).add(identity)
        return {workshop_id: frozenset(identities) for workshop_id, identities in found.items()}


@dataclass(frozen=True, slots=True)
class Registered:
    """The ids that those accepted have in truth, new ones included."""

    people: Mapping[str, UUID]
    organisations: Mapping[UUID, UUID]

    def organisation(self, foreseen: UUID | None) -> UUID | None:
        """Give the id of an organisation for which `foreseen` stood."""
        return None if foreseen is None else self.organisations.get(foreseen, foreseen)


async def recognise(tx: Transaction, candidates: Sequence[Candidate]) -> Recognised:
    """Find those whom we know."""
    workshop_ids = {each.workshop_id for each in candidates}
    known = await people.known(tx.session, {each.person for each in candidates}, workshop_ids)
    named = {each.organisation for each in candidates if each.organisation is not None}
    there = await organisations.known(tx.session, named)
    new = frozenset(named - there.keys())
    return Recognised(known, {**there, **{identity: uuids.uuid7() for identity in new}}, new)


async def register(tx: Transaction, recognised: Recognised, accepted: Sequence[Candidate]) -> Registered:
    """Add those of the accepted who are new, and tell of them.

    Another transaction may add the same one first, in a workshop other than those held here: then it is theirs that
    counts, and the decision stands, for of those workshops nobody new was part.
    """
    registered = Registered({}, await _register_organisations(tx, recognised, accepted))
    new: dict[str, tuple[NewPerson, Candidate]] = {}
    for each in accepted:
        if each.person not in recognised.people and each.person not in new:
            form = each.request.form.person
            organisation_id = registered.organisation(recognised.organisation_of(each))
            person = NewPerson(uuids.uuid7(), each.person, form.email, form.name, form.language, organisation_id)
            new[each.person] = (person, each)
    ids = {identity: known.person_id for identity, known in recognised.people.items()}
    if new:
        ids |= {identity: person.person_id for identity, (person, _) in new.items()}
        added = await people.add(tx.session, [person for person, _ in new.values()], tx.now)
        for person, candidate in new.values():
            if person.person_id in added:
                _tell_person(tx, person, candidate)
        if late := [identity for identity, (person, _) in new.items() if person.person_id not in added]:
            found = await people.known(tx.session, late, ())
            ids |= {identity: known.person_id for identity, known in found.items()}
    return Registered(ids, registered.organisations)


async def _register_organisations(
    tx: Transaction, recognised: Recognised, accepted: Sequence[Candidate]
) -> Mapping[UUID, UUID]:
    new: dict[str, tuple[Organisation, Candidate]] = {}
    for each in accepted:
        form = each.request.form.organisation
        if form and each.organisation in recognised.new_organisations and each.organisation not in new:
            id_, by = recognised.organisations[each.organisation], each.request.publisher
            organisation = Organisation(id_, each.organisation, form.name, form.kind, form.country, form.population, by)
            new[each.organisation] = (organisation, each)
    if not new:
        return {}
    added = await organisations.add(tx.session, [organisation for organisation, _ in new.values()], tx.now)
    for organisation, candidate in new.values():
        if organisation.organisation_id in added:
            tell(tx, OrganisationRegistered, organisation, candidate.request.cause)
    late = [identity for identity, (organisation, _) in new.items() if organisation.organisation_id not in added]
    found = await organisations.known(tx.session, late)
    return {recognised.organisations[identity]: found[identity] for identity in late}


def _tell_person(tx: Transaction, person: NewPerson, candidate: Candidate) -> None:
    told = PersonRegistered(
        person_id=person.person_id,
        name=person.name,
        email=person.email,
        language=person.language,
        organisation_id=person.organisation_id,
    )
    tx.emit(told, key=person.person_id, sequence=1, cause=candidate.request.cause)
