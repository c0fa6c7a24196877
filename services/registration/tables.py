"""What registration keeps: its copy of the workshops, seats, people, organisations and enrolments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.messaging import tables as messaging

LIVE = "state IN ('pending_approval', 'confirmed', 'waitlisted', 'offered')"


class Row(SQLModel, registry=registry()):
    """Registration's own metadata, apart from that of any other service in the process."""


def _text(*, nullable: bool = False) -> Any:  # noqa: ANN401 - SQLModel's columns are typed so
    return Field(sa_column=Column(Text, nullable=nullable))


def _moment(*, nullable: bool = False) -> Any:  # noqa: ANN401
    return Field(sa_column=Column(DateTime(timezone=True), nullable=nullable))


class Workshop(Row, table=True):
    """A workshop as the catalogue last told of it: `data` is the whole fact, the other columns what rules ask for."""

    __tablename__ = "workshops"
    __table_args__ = (Index("workshops_outside", "publisher", "external_id"), Index("workshops_slug", "slug"))

    workshop_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    slug: str = _text()
    state: str = _text()
    publisher: str | None = _text(nullable=True)
    external_id: str | None = _text(nullable=True)
    opens_at: datetime | None = _moment(nullable=True)
    closes_at: datetime | None = _moment(nullable=True)
    starts_at: datetime | None = _moment(nullable=True)
    approval: str = _text()
    external_url: str | None = _text(nullable=True)
    per_organisation: int | None = None
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class Joining(Row, table=True):
    """How one joins a workshop online; told apart from the workshop, and at times before it."""

    __tablename__ = "joining"

    workshop_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    links: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))


class SeatsOfAWay(Row, table=True):
    """Seats of one way of attending a workshop; whoever changes an enrolment of it holds its rows locked.

    `ceiling` is the last word against overbooking: the capacity or, where that was lowered below what was taken, what
    is still taken. `sequence` is the version of the workshop's seats, the same in all its rows.
    """

    __tablename__ = "seats"
    __table_args__ = (
        CheckConstraint("ceiling IS NULL OR confirmed + offered <= ceiling", name="seats_never_oversold"),
        CheckConstraint("confirmed >= 0 AND offered >= 0 AND waitlisted >= 0", name="seats_counts"),
    )

    workshop_id: UUID = Field(
        sa_column=Column(ForeignKey("workshops.workshop_id", ondelete="CASCADE"), primary_key=True)
    )
    attendance: str = Field(sa_column=Column(Text, primary_key=True))
    on_offer: bool = Field(sa_column=Column(Boolean, nullable=False))
    capacity: int | None = None
    ceiling: int | None = None
    confirmed: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    offered: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    waitlisted: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))


class Organisation(Row, table=True):
    """Whom people act for; `identity` is kind, country and name without their case.

    `publisher` is the outside system that brought it, `external_id` what it is called there, `publisher_sequence` that
    system's own count of what it says of it; all three are empty where nobody but a person has named it.
    """

    __tablename__ = "organisations"
    __table_args__ = (Index("organisations_outside", "publisher", "external_id", unique=True),)

    organisation_id: UUID = Field(primary_key=True)
    identity: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = _text()
    kind: str = _text()
    country: str | None = _text(nullable=True)
    population: int | None = None
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    registered_at: datetime = _moment()
    publisher: str | None = _text(nullable=True)
    external_id: str | None = _text(nullable=True)
    publisher_sequence: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class Person(Row, table=True):
    """One who takes part; `identity` is the address without its case, `email` the address as it was typed."""

    __tablename__ = "people"

    person_id: UUID = Field(primary_key=True)
    identity: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    email: str = _text()
    name: str = _text()
    language: str = _text()
    organisation_id: UUID | None = Field(sa_column=Column(ForeignKey("organisations.organisation_id"), nullable=True))
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    registered_at: datetime = _moment()


ENROLMENT_NUMBER = Sequence("enrolment_number", metadata=Row.metadata)


class Enrolment(Row, table=True):
    """One person's part in one workshop; `number`, drawn while the seats are locked, is its place for ever.

    `request_id` is the id of the event by which an outside system asked for it; which system, its first step tells.
    """

    __tablename__ = "enrolments"
    __table_args__ = (
        Index("enrolments_one_live", "workshop_id", "person_id", unique=True, postgresql_where=text(LIVE)),
        Index("enrolments_queue", "workshop_id", "attendance", "number", postgresql_where=text("state = 'waitlisted'")),
        Index("enrolments_of_a_workshop", "workshop_id", "number"),
        Index("enrolments_of_a_person", "person_id", "workshop_id"),
        Index("enrolments_of_a_request", "request_id", postgresql_where=text("request_id IS NOT NULL")),
    )

    enrolment_id: UUID = Field(primary_key=True)
    workshop_id: UUID = Field(sa_column=Column(ForeignKey("workshops.workshop_id"), nullable=False))
    person_id: UUID = Field(sa_column=Column(ForeignKey("people.person_id"), nullable=False))
    organisation_id: UUID | None = Field(sa_column=Column(ForeignKey("organisations.organisation_id"), nullable=True))
    attendance: str = _text()
    state: str = _text()
    number: int = Field(
        sa_column=Column(BigInteger, ENROLMENT_NUMBER, nullable=False, server_default=ENROLMENT_NUMBER.next_value())
    )
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    reason: str | None = _text(nullable=True)
    by: str = _text()
    accepted_at: datetime = _moment()
    requested_at: datetime | None = _moment(nullable=True)
    updated_at: datetime = _moment()
    privacy_version: str = _text()
    commitment_accepted: bool = Field(sa_column=Column(Boolean, nullable=False))
    groups: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    request_id: str | None = _text(nullable=True)


class Step(Row, table=True):
    """One step in the life of an enrolment, by the version to which it led: who took it, when, and why."""

    __tablename__ = "steps"

    enrolment_id: UUID = Field(
        sa_column=Column(ForeignKey("enrolments.enrolment_id", ondelete="CASCADE"), primary_key=True)
    )
    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True))
    at: datetime = _moment()
    before: str | None = _text(nullable=True)
    after: str = _text()
    by: str = _text()
    reason: str | None = _text(nullable=True)


class IdempotencyKey(Row, table=True):
    """A key that a caller gave with a request, and what was answered; forgotten after a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_age", "created_at"),)

    key: str = Field(sa_column=Column(Text, primary_key=True))
    body_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    answer: dict[str, Any] | None = Field(sa_column=Column(JSONB, nullable=True))
    created_at: datetime = _moment()


messaging.attach(Row.metadata)
