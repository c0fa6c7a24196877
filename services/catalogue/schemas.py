"""Bodies of requests and answers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, HttpUrl, NonNegativeInt, PositiveInt

from services.catalogue.domain import State
from services.catalogue.operations import Statement, public
from services.catalogue.tables import Workshop
from shared.errors import Invalid
from shared.events.base import Attendance, Contract, Language, Localised, Moment, Slug, Text
from shared.events.catalogue import Session, SessionWithLink, StatedSessions, WorkshopContent, WorkshopKind

ChangedTexts = dict[Language, Text | None]
ChangedSeats = dict[Attendance, NonNegativeInt | None]


class NewWorkshop(WorkshopContent):
    """A workshop as staff state it."""

    sessions: StatedSessions

    @property
    def statement(self) -> Statement:
        """What it says; raises Invalid where it contradicts itself."""
        return Statement.of(self, self.sessions)


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class _Change(Contract):
    """What is there is set, what is not there stays; nothing else may be there. The defaults are never looked at."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)


class TermsChange(_Change):
    """Which terms of enrolment are to change."""

    opens_at: Moment | None = None
    closes_at: Moment | None = None
    approval: Literal["automatic", "staff"] = "automatic"
    external_url: HttpUrl | None = None


class WorkshopChange(_Change):
    """What of a workshop is to change.

    `title`, `summary`, `seats` and `registration` change by what they name (a null language is taken out, null seats
    are without limit); every other field as a whole, `sessions` too.
    """

    kind: WorkshopKind = "workshop"
    language: Language = "ca"
    title: ChangedTexts = Field(default_factory=dict)
    summary: ChangedTexts = Field(default_factory=dict)
    seats: ChangedSeats = Field(default_factory=dict)
    per_organisation: PositiveInt | None = None
    themes: tuple[Slug, ...] = ()
    registration: TermsChange = TermsChange()
    programme: Slug | None = None
    group: Slug | None = None
    sessions: StatedSessions = ()

    def applied(self, stated: Statement) -> Statement:
        """Give what a workshop says after the change; raises Invalid where it contradicts itself then."""
        content = stated.content
        given = {name: getattr(self, name) for name in self.model_fields_set}
        sessions = given.pop("sessions", stated.sessions)
        for name in given.keys() & {"title", "summary"}:
            texts = {**getattr(content, name), **given[name]}
            given[name] = {language: text for language, text in texts.items() if text is not None}
        if given.get("title") == {}:
            raise Invalid("A workshop needs a title.", [("title", "must be there in one language at least")])
        if "seats" in given:
            given["seats"] = {**content.seats, **given["seats"]}
        if "registration" in given:
            terms = {name: getattr(self.registration, name) for name in self.registration.model_fields_set}
            given["registration"] = content.registration.model_copy(update=terms)
        return Statement.of(content.model_copy(update=given), sessions)


class OtherSessions(Contract):
    """The sessions that a workshop is to have instead."""

    sessions: StatedSessions


class Cancellation(Contract):
    """Why a workshop is called off, for those who would have come."""

    reason: Annotated[Localised, Field(min_length=1)]


class WorkshopShown(WorkshopContent):
    """A workshop as everybody may see it."""

    id: UUID
    slug: Slug
    state: State
    publisher: str | None
    external_id: str | None
    sequence: int
    reason: Localised | None
    sessions: tuple[Session, ...]

    @classmethod
    def of(cls, row: Workshop) -> "WorkshopShown":
        """Show a workshop to everybody: without its join links."""
        return WorkshopShown(**_shown(row), sessions=tuple(public(each) for each in row.sessions))


class WorkshopShownToStaff(WorkshopShown):
    """A workshop as staff see it: with its join links."""

    sessions: tuple[SessionWithLink, ...]

    @classmethod
    def of(cls, row: Workshop) -> "WorkshopShownToStaff":
        """Show a workshop to staff."""
        return WorkshopShownToStaff(**_shown(row), sessions=row.sessions)


def _shown(row: Workshop) -> dict[str, Any]:
    return {
        **dict(row.content),
        "id": row.workshop_id,
        "slug": row.slug,
        "state": row.state,
        "publisher": row.publisher,
        "external_id": row.external_id,
        "sequence": row.sequence,
        "reason": row.reason,
    }
