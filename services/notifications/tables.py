"""The rows of this service: what it knows of people, workshops and enrolments, and the notices it owes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.messaging.tables import attach


class Row(SQLModel, registry=registry()):
    """The base of this service's rows, with a metadata of its own."""


def _moment(*, nullable: bool = False) -> Any:  # noqa: ANN401 - as SQLModel's Field
    return Field(sa_type=DateTime(timezone=True), nullable=nullable)


class Person(Row, table=True):
    """Who may be written to, as registration last told it."""

    __tablename__ = "people"
    person_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)


class Workshop(Row, table=True):
    """A workshop as the catalogue last told it; `data` is its fact, whole."""

    __tablename__ = "workshops"
    workshop_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    data: dict[str, Any] = Field(sa_type=JSONB)


class Joining(Row, table=True):
    """The join links of a workshop's sessions."""

    __tablename__ = "joining"
    workshop_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    data: dict[str, Any] = Field(sa_type=JSONB)


class Seats(Row, table=True):
    """How many seats of a workshop are left, per way of attending; null is unlimited."""

    __tablename__ = "seats"
    workshop_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    available: dict[str, Any] = Field(sa_type=JSONB)


class Enrolment(Row, table=True):
    """An enrolment as registration last told it, and what its holder's calendar was told."""

    __tablename__ = "enrolments"
    enrolment_id: UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    workshop_id: UUID
    person_id: UUID
    attendance: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    waitlist_position: int | None
    calendar: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    __table_args__ = (Index("enrolments_of_workshop", "workshop_id"), Index("enrolments_of_person", "person_id"))


class Window(Row, table=True):
    """A span of time whose events are told to staff in one mail; `event_id` is the first of them."""

    __tablename__ = "windows"
    rule: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(primary_key=True, sa_type=Text)
    opened_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    due_at: datetime = _moment()
    event_id: str = Field(sa_type=Text)
    count: int
    __table_args__ = (Index("windows_by_event", "event_id", "rule"),)


class Notice(Row, table=True):
    """A mail that is owed, or what became of it: the ledger. Rows of one enrolment are sent in their order.

    `claim` is the sending process's while it is at it; `in_doubt` says that SMTP may have taken it unbeknown to us.
    """

    __tablename__ = "notices"
    notice_id: UUID = Field(primary_key=True)
    ordinal: int = Field(sa_column=Column(BigInteger, Identity(), nullable=False, unique=True))
    event_id: str = Field(sa_type=Text)
    rule: str = Field(sa_type=Text)
    recipient: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    language: str | None = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    workshop_id: UUID | None
    person_id: UUID | None
    enrolment_id: UUID | None
    correlation_id: str | None = Field(sa_type=Text)
    traceparent: str | None = Field(sa_type=Text)
    details: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    due_at: datetime = _moment()
    attempts: int = Field(sa_column_kwargs={"server_default": text("0")})
    claim: int | None
    sending_since: datetime | None = _moment(nullable=True)
    in_doubt: bool = Field(sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = _moment()
    sent_at: datetime | None = _moment(nullable=True)
    __table_args__ = (
        UniqueConstraint("event_id", "rule", "recipient", "channel", name="notices_once"),
        Index("notices_due", "due_at", "ordinal", postgresql_where=text("state = 'owed' AND claim IS NULL")),
        Index("notices_claimed", "claim", postgresql_where=text("claim IS NOT NULL")),
        Index("notices_in_order", "enrolment_id", "ordinal", postgresql_where=text("state = 'owed'")),
        Index("notices_of_person", "person_id", "ordinal"),
        Index("notices_of_workshop", "workshop_id", "ordinal"),
        Index("notices_by_state", "state", "ordinal"),
    )


attach(Row.metadata)
