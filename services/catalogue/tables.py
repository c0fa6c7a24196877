"""What the catalogue keeps, row by row."""

from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE, Range
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.catalogue.domain import State
from shared.events.base import Localised
from shared.events.catalogue import SessionWithLink, WorkshopContent
from shared.messaging import tables as bus

T = TypeVar("T")


class Json(TypeDecorator[T], Generic[T]):
    """A column that holds a value of a contract's shape as JSON; it is read and written whole."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def __init__(self, shape: Any) -> None:  # noqa: ANN401 - any shape that pydantic knows
        super().__init__()
        self.shape = shape
        self._adapter: TypeAdapter[T] = TypeAdapter(shape)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """Write the value as JSON's own types."""
        return None if value is None else self._adapter.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:  # noqa: ANN401, ARG002
        """Read the value back into its shape."""
        return None if value is None else self._adapter.validate_python(value)


def _moment(*, nullable: bool = False) -> "Column[datetime]":
    return Column(DateTime(timezone=True), nullable=nullable)


class Row(SQLModel, registry=registry()):
    """What the catalogue's tables have in common: a registry of their own."""


class Workshop(Row, table=True):
    """A workshop as it stands. `sequence` counts the facts told of it: a draft has 0.

    What stands after `updated_at` repeats `content` and `sessions` in forms that a query can find by.
    """

    __tablename__: ClassVar[Any] = "workshops"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("publisher", "external_id", name="workshops_publisher_external_id"),
        CheckConstraint("state IN ('draft', 'scheduled', 'held', 'cancelled')", name="workshops_state"),
        CheckConstraint("(publisher IS NULL) = (external_id IS NULL)", name="workshops_origin"),
        Index("workshops_order", "starts_at", "workshop_id"),
        Index("workshops_occupied", "occupied", postgresql_using="gist"),
    )

    workshop_id: UUID = Field(primary_key=True)
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    publisher: str | None = Field(default=None, sa_column=Column(Text))
    external_id: str | None = Field(default=None, sa_column=Column(Text))
    publisher_sequence: int | None = Field(default=None, sa_column=Column(BigInteger))
    state: State = Field(default="draft", sa_column=Column(Text, nullable=False))
    sequence: int = 0
    content: WorkshopContent = Field(sa_column=Column(Json(WorkshopContent), nullable=False))
    sessions: tuple[SessionWithLink, ...] = Field(sa_column=Column(Json(tuple[SessionWithLink, ...]), nullable=False))
    reason: Localised | None = Field(default=None, sa_column=Column(Json(Localised)))
    rescheduled_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    created_at: datetime = Field(sa_column=_moment())
    updated_at: datetime = Field(sa_column=_moment())
    starts_at: datetime = Field(sa_column=_moment())
    ends_at: datetime = Field(sa_column=_moment())
    occupied: list[Range[datetime]] = Field(sa_column=Column(TSTZMULTIRANGE, nullable=False))
    modes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    words: str = Field(sa_column=Column(Text, nullable=False))


class Programme(Row, table=True):
    """A path of training modules, as workshop pages tell of it."""

    __tablename__: ClassVar[Any] = "programmes"

    slug: str = Field(sa_column=Column(Text, primary_key=True))
    title: Localised = Field(sa_column=Column(Json(Localised), nullable=False))
    summary: Localised = Field(sa_column=Column(Json(Localised), nullable=False))


class Group(Row, table=True):
    """A discussion or focus group, as workshop pages tell of it; `requirement` is what a member accepts."""

    __tablename__: ClassVar[Any] = "groups"

    slug: str = Field(sa_column=Column(Text, primary_key=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    title: Localised = Field(sa_column=Column(Json(Localised), nullable=False))
    summary: Localised = Field(sa_column=Column(Json(Localised), nullable=False))
    requirement: Localised | None = Field(default=None, sa_column=Column(Json(Localised)))


bus.attach(Row.metadata)
