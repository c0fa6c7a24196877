"""One row of a file, wherever it was written, and what it says when it is right."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from services.catalogue import domain
from services.catalogue.operations import Statement
from shared.errors import Invalid
from shared.events.base import Contract, Localised, Slug
from shared.events.catalogue import ZONES, Place, SessionWithLink, Several, Terms, WorkshopContent

Kind = Literal["programme", "group", "workshop"]
Location = tuple[int | str, ...]
Fault = tuple[Location, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read. `line_of` finds the line of a part of it; `name_of` says how the file calls that part."""

    kind: Kind
    line: int
    data: object
    line_of: Callable[[Location], int]
    name_of: Callable[[Location], str]

    @property
    def key(self) -> str | None:
        """Give what the row calls itself, if it does so."""
        slug = self.data.get("slug") if isinstance(self.data, dict) else None
        return slug if isinstance(slug, str) else None

    def told(self, faults: Iterable[Fault]) -> str:
        """Write faults for a person: where each is, and what it is."""
        return "; ".join(
            f"line {self.line_of(location)}, {self.name_of(location) or 'the row'}: {message}"
            for location, message in faults
        )


class _Exact(Contract):
    """In a file that a person wrote, a name that nobody knows is a slip."""

    model_config = ConfigDict(extra="forbid")


class _Place(Place, extra="forbid"):
    pass


class _Session(SessionWithLink, extra="forbid"):
    place: _Place | None = None


class _Terms(Terms, extra="forbid"):
    pass


class ProgrammeRow(_Exact):
    """A programme in a file."""

    slug: Slug
    title: Annotated[Localised, Field(min_length=1)]
    summary: Localised = Field(default_factory=dict)


class GroupRow(ProgrammeRow):
    """A group in a file; `requirement` is what a member accepts."""

    kind: Literal["discussion", "focus"] = "discussion"
    requirement: Annotated[Localised, Field(min_length=1)] | None = None


class WorkshopRow(WorkshopContent, extra="forbid"):
    """A workshop in a file: `slug` is its identity, and `state` whether it is on offer."""

    slug: Slug
    state: Literal["draft", "scheduled"] = "scheduled"
    sessions: Several[_Session]
    registration: _Terms = _Terms()

    @property
    def clocks(self) -> list[domain.LocalTime]:
        """The times that must lie ahead when it is moved."""
        dated = [(each.starts_at, each.timezone) for each in self.sessions]
        if self.registration.closes_at is not None:
            dated.append((self.registration.closes_at, self.sessions[0].timezone))
        return [domain.LocalTime.of(moment, timezone) for moment, timezone in dated]

    def statement(self, weeks: int) -> Statement:
        """Give what it says, `weeks` later; raises Invalid where it contradicts itself."""
        timezone = self.sessions[0].timezone
        terms = self.registration.model_copy(
            update=_moved(self.registration, ("opens_at", "closes_at"), timezone, weeks)
        )
        sessions = [
            each.model_copy(update=_moved(each, ("starts_at", "ends_at"), each.timezone, weeks))
            for each in self.sessions
        ]
        return Statement.of(self.model_copy(update={"registration": terms}), sessions)


def _moved(dated: Contract, names: tuple[str, ...], timezone: str, weeks: int) -> dict[str, datetime]:
    moments = {name: getattr(dated, name) for name in names}
    return {name: domain.moved(moment, timezone, weeks) for name, moment in moments.items() if moment is not None}


def with_offsets(data: dict[str, Any]) -> dict[str, Any]:
    """Complete the times that are written as a clock shows them, without an offset, from their session's time zone.

    Opening and closing are on the clock of the first session. What is not right in other ways is left as it is.
    Raises Invalid for an hour that the clocks leave out.
    """
    faults: list[tuple[str, str]] = []
    stated = data.get("sessions")
    if not isinstance(stated, list):
        return data
    sessions = [
        _timed(each, ("starts_at", "ends_at"), _zone_of(each), f"sessions.{place}", faults)
        for place, each in enumerate(stated)
    ]
    terms = data.get("registration")
    if sessions:
        terms = _timed(terms, ("opens_at", "closes_at"), _zone_of(sessions[0]), "registration", faults)
    if faults:
        raise Invalid("Some hours are left out that night.", faults)
    return {**data, "sessions": sessions} | ({"registration": terms} if "registration" in data else {})


def _zone_of(session: object) -> str | None:
    zone = session.get("timezone") if isinstance(session, dict) else None
    return zone if isinstance(zone, str) and zone in ZONES else None


def _timed(part: object, names: tuple[str, ...], zone: str | None, above: str, faults: list[tuple[str, str]]) -> object:
    if not isinstance(part, dict) or zone is None:
        return part
    completed = dict(part)
    for name, wall in _walls(part, names):
        completed[name] = domain.on_the_clock(wall, zone)
        if completed[name] is None:
            faults.append((f"{above}.{name}", f"this hour is left out that night in {zone}: the clocks go forward"))
    return completed


def _walls(part: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, datetime]]:
    for name in names:
        try:
            wall = datetime.fromisoformat(str(part.get(name)))
        except ValueError:
            continue
        if wall.tzinfo is None:
            yield name, wall
