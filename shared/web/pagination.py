"""Lists that are read piece by piece: opaque cursors, and the one shape of every list."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from shared.errors import Invalid

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
LONGEST_CURSOR = 1000


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        message = "must be a moment that there is in UTC"
        raise ValueError(message) from error


Number = Annotated[int, Field(ge=0, lt=2**63)]
Instant = Annotated[datetime, AwareDatetime, AfterValidator(_in_utc)]
"""Positions that a database can look for; what else a forged cursor says is refused."""
T = TypeVar("T")
R = TypeVar("R")


class Page(BaseModel, Generic[T]):
    """A piece of a list; `next` is the cursor of the piece that follows, null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which piece of a list is asked for: `?cursor=&limit=`."""

    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    def after(self, shape: type[T]) -> T | None:
        """Give the position to read after, None at the start; `shape` is a tuple type such as `tuple[Instant, UUID]`.

        Raises Invalid when the cursor is not one of ours.
        """
        return None if self.cursor is None else decode_cursor(self.cursor, shape)

    @property
    def rows(self) -> int:
        """How many rows to read: one more than is shown, which tells whether there are more."""
        return self.limit + 1

    def cut(self, found: Sequence[R], position: Callable[[R], tuple[object, ...]]) -> tuple[Sequence[R], str | None]:
        """Keep what is shown of the `found` rows, and make the cursor of what follows."""
        shown = found[: self.limit]
        return shown, encode_cursor(position(shown[-1])) if len(found) > self.limit else None


def _paging(
    cursor: Annotated[str | None, Query(max_length=LONGEST_CURSOR, description="`next` of the piece before")] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT,
) -> Paging:
    return Paging(cursor, limit)


Paged = Annotated[Paging, Depends(_paging)]
"""The parameter of an endpoint that answers a list: `async def list_x(paging: Paged) -> Page[X]`."""


def encode_cursor(position: tuple[object, ...]) -> str:
    """Make the cursor of a position: the sort key of the last item shown, in what JSON can say."""
    return urlsafe_b64encode(to_json(position)).decode().rstrip("=")


def decode_cursor(cursor: str, shape: type[T]) -> T:
    """Read a cursor back as `shape`; raises Invalid when it is not one that such a list gave."""
    try:
        raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        position: T = TypeAdapter(shape).validate_json(raw)
    except (ValueError, ValidationError) as error:
        message = "This cursor is not one of this list: leave it out to start at the beginning."
        raise Invalid(message, [("cursor", "is not one that this list gave")]) from error
    return position
