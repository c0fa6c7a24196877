"""What was promised to whoever came from outside: written down as it was heard, and held against what is there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass
class Asked:
    """A request for a seat and what was heard of it; moments are seconds of one clock that never jumps.

    `key` is the Idempotency-Key, or the event's id where it was sent as one. `accepted` is when the answer came, or
    the broker's acknowledgement.
    """

    workshop: UUID
    address: str
    key: str
    body: dict[str, Any]
    begun: float
    accepted: float | None = None
    answer: dict[str, Any] | None = None
    in_turn: bool = True
    """Whether its place follows from when it was sent; not so where it went two ways at once."""
    to_leave: bool = False
    left: bool = False


@dataclass
class Offered:
    """A workshop, and what staff were last told that it is like."""

    workshop: UUID
    seats: int
    starts_at: str


@dataclass
class Ledger:
    """All of one storm."""

    workshops: dict[UUID, Offered] = field(default_factory=dict)
    by_http: list[Asked] = field(default_factory=list)
    by_bus: list[Asked] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Answers that no one should get."""
    tried_again: int = 0

    @property
    def promised(self) -> Iterator[Asked]:
        """Give every request that was accepted."""
        return (each for each in (*self.by_http, *self.by_bus) if each.accepted is not None)

    @property
    def may_leave(self) -> list[Asked]:
        """Give those who have an answer and have not asked to leave."""
        return [each for each in self.by_http if each.answer and not each.to_leave]
