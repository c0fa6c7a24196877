"""What registration says: who takes part, by ids; people themselves on a stream of their own."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from shared.events.base import (
    Attendance,
    Contract,
    Country,
    EmailAddress,
    Event,
    ExternalId,
    Language,
    Moment,
    OrganisationKind,
    Slug,
)
from shared.events.topics import ENROLMENTS, INBOUND, ORGANISATIONS, PEOPLE, SEATS

EnrolmentLife = Literal[
    "pending_approval", "confirmed", "waitlisted", "offered", "offer_expired",
    "declined", "withdrawn", "cancelled", "attended", "absent",
]  # fmt: skip
Actor = Literal["participant", "staff", "system", "publisher"]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""A name on one line: what would break a mail's header or a database's text is no part of it."""
Population = Annotated[int, Field(ge=0, le=1_000_000_000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
"""Why an enrolment ended: whoever follows us reads it, so it names nobody."""
EventId = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""What a CloudEvent may have for its `id` here."""


class EnrolmentFact(Event):
    """An enrolment's whole state; what happened is the event's type.

    `number` is the place in the order in which requests were accepted; it never changes.
    `waitlist_position` counts from 1 at the moment of the event, null outside the waiting list.
    """

    topic = ENROLMENTS

    enrolment_id: UUID
    workshop_id: UUID
    person_id: UUID
    organisation_id: UUID | None = None
    attendance: Attendance
    state: EnrolmentLife
    number: PositiveInt
    waitlist_position: PositiveInt | None = None
    accepted_at: Moment
    requested_at: Moment | None = None
    reason: str | None = None
    by: Actor = "participant"


class EnrolmentCreated(EnrolmentFact, type="enrolment.created"):
    """A request was accepted; `state` tells with what outcome."""


class EnrolmentConfirmed(EnrolmentFact, type="enrolment.confirmed"):
    """A waiting or pending one got a seat."""


class EnrolmentWaitlisted(EnrolmentFact, type="enrolment.waitlisted"):
    """A pending one was approved when no seat was left."""


class EnrolmentDeclined(EnrolmentFact, type="enrolment.declined"):
    """Staff refused it."""


class EnrolmentWithdrawn(EnrolmentFact, type="enrolment.withdrawn"):
    """It was given up: by the participant, by staff, or by the outside system that had asked for it."""


class EnrolmentCancelled(EnrolmentFact, type="enrolment.cancelled"):
    """It ended with its workshop."""


EnrolmentEvent = (
    EnrolmentCreated
    | EnrolmentConfirmed
    | EnrolmentWaitlisted
    | EnrolmentDeclined
    | EnrolmentWithdrawn
    | EnrolmentCancelled
)


class SeatCount(Contract):
    """Seats of one way of attending; null is unlimited."""

    capacity: NonNegativeInt | None
    confirmed: NonNegativeInt
    offered: NonNegativeInt
    waitlisted: NonNegativeInt
    available: NonNegativeInt | None


class SeatsChanged(Event, type="seats.changed"):
    """How many seats of a workshop are taken and waited for."""

    topic = SEATS

    workshop_id: UUID
    seats: dict[Attendance, SeatCount]


class PersonFact(Event):
    """A person. The only facts with personal data."""

    topic = PEOPLE

    person_id: UUID
    name: str
    email: str
    language: Language
    organisation_id: UUID | None = None


class PersonRegistered(PersonFact, type="person.registered"):
    """A person is known for the first time."""


class PersonUpdated(PersonFact, type="person.updated"):
    """Something of a person changed."""


PersonEvent = PersonRegistered | PersonUpdated


class OrganisationFact(Event):
    """Whom people act for.

    `publisher` is the outside system that brought it and alone may change it, `external_id` what it is called there.
    """

    topic = ORGANISATIONS

    organisation_id: UUID
    name: str
    kind: OrganisationKind
    country: Country | None = None
    population: NonNegativeInt | None = None
    publisher: str | None = None
    external_id: str | None = None


class OrganisationRegistered(OrganisationFact, type="organisation.registered"):
    """An organisation is known for the first time."""


class OrganisationUpdated(OrganisationFact, type="organisation.updated"):
    """Something of an organisation changed."""


class Person(Contract):
    """Who asks to take part."""

    name: Line
    email: EmailAddress
    language: Language = "ca"


class Organisation(Contract):
    """For whom they act."""

    name: Line
    kind: OrganisationKind
    country: Country | None = None
    population: Population | None = None


class OutsideReference(Contract):
    """A workshop by the name that its outside publisher gave it."""

    publisher: Line
    external_id: Line


class EnrolmentForm(Contract):
    """What one fills in to enrol."""

    attendance: Attendance
    person: Person
    organisation: Organisation | None = None
    accepts: tuple[Literal["privacy", "commitment"], ...] = ()
    groups: Annotated[tuple[Slug, ...], Field(max_length=20)] = ()


class EnrolmentRequested(EnrolmentForm, Event, type="enrolment.requested"):
    """An outside system enrols somebody; `requested_at` is kept and decides nothing."""

    topic = INBOUND["registration"]

    workshop_id: UUID | OutsideReference
    requested_at: Moment | None = None


class OwnRequest(Contract):
    """An enrolment by the request that it came of: the `id` of the publisher's own `enrolment.requested`."""

    request: EventId


class OutsideEnrolmentWithdrawn(Event, type="enrolment.withdrawn"):
    """An outside system gives up an enrolment for which it asked; `reason` goes into our fact, and names nobody."""

    topic = INBOUND["registration"]

    enrolment_id: UUID | OwnRequest
    reason: Reason | None = None


class OutsideOrganisationRegistered(Organisation, Event, type="organisation.registered"):
    """An outside system states an organisation whole; its identity there is (publisher, `external_id`)."""

    topic = INBOUND["registration"]

    external_id: ExternalId


OutsideRegistrationEvent = EnrolmentRequested | OutsideEnrolmentWithdrawn | OutsideOrganisationRegistered
