"""What the catalogue says: workshops whole, join links apart."""

from datetime import timedelta
from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, HttpUrl, NonNegativeInt, PositiveInt, model_validator

from shared.events.base import Attendance, Contract, Country, Event, ExternalId, Language, Localised, Moment, Slug, Text
from shared.events.topics import INBOUND, JOINING, WORKSHOPS

WorkshopKind = Literal[
    "workshop", "webinar", "group_meeting", "training_module", "field_visit", "information_day", "pitch_session"
]
WorkshopLife = Literal["draft", "scheduled", "held", "cancelled"]
Mode = Literal["in_person", "online", "hybrid"]
LONGEST_SESSION = timedelta(days=31)
ZONES = frozenset(available_timezones())
"""Read once: to ask for them walks through hundreds of files."""


def _known_zone(name: str) -> str:
    if name not in ZONES:
        message = "is not a time zone of the IANA database, such as Europe/Madrid"
        raise ValueError(message)
    return name


S = TypeVar("S", bound="Session")
Timezone = Annotated[str, AfterValidator(_known_zone)]
Seats = Annotated[dict[Attendance, NonNegativeInt | None], Field(min_length=1)]
"""A number, null for unlimited; a way of attending that there is not is absent."""


class Place(Contract):
    """Where people meet."""

    name: Text
    city: Text | None = None
    country: Country | None = None
    address: Text | None = None


class Session(Contract):
    """One meeting of a workshop; `number` counts from 1 and is the session's identity within it."""

    number: PositiveInt = 1
    starts_at: Moment
    ends_at: Moment
    timezone: Timezone
    mode: Mode
    place: Place | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if not timedelta() < self.ends_at - self.starts_at <= LONGEST_SESSION:
            message = "ends_at must come after starts_at, by a month at the most"
            raise ValueError(message)
        return self


class SessionWithLink(Session):
    """A session as those who publish it write it: with the link, which no public fact carries."""

    join_url: HttpUrl | None = None


class Terms(Contract):
    """How one gets in: from when to when, who decides, or where else one registers."""

    opens_at: Moment | None = None
    closes_at: Moment | None = None
    approval: Literal["automatic", "staff"] = "automatic"
    external_url: HttpUrl | None = None


class WorkshopContent(Contract):
    """What publishers say of a workshop, apart from its sessions."""

    kind: WorkshopKind
    language: Language = "ca"
    title: Annotated[Localised, Field(min_length=1)]
    summary: Localised = {}  # noqa: RUF012 - pydantic copies it
    seats: Seats
    per_organisation: PositiveInt | None = None
    themes: tuple[Slug, ...] = ()
    registration: Terms = Terms()
    programme: Slug | None = None
    group: Slug | None = None


class WorkshopFact(WorkshopContent, Event):
    """A workshop's whole public state; what happened is the event's type."""

    topic = WORKSHOPS

    workshop_id: UUID
    slug: Slug
    state: WorkshopLife
    publisher: str | None = None
    external_id: str | None = None
    sessions: tuple[Session, ...]
    reason: Localised | None = None


class WorkshopScheduled(WorkshopFact, type="workshop.scheduled"):
    """A workshop is on offer."""


class WorkshopUpdated(WorkshopFact, type="workshop.updated"):
    """Something other than the dates changed."""


class WorkshopRescheduled(WorkshopFact, type="workshop.rescheduled"):
    """The dates changed."""


class WorkshopCancelled(WorkshopFact, type="workshop.cancelled"):
    """It does not take place; `reason` says why."""


class WorkshopHeld(WorkshopFact, type="workshop.held"):
    """It took place."""


WorkshopEvent = WorkshopScheduled | WorkshopUpdated | WorkshopRescheduled | WorkshopCancelled | WorkshopHeld


class JoinLink(Contract):
    """How one joins a session online."""

    number: PositiveInt
    join_url: str


class JoiningChanged(Event, type="joining.changed"):
    """The join links of a workshop's sessions, for our own services only."""

    topic = JOINING

    workshop_id: UUID
    links: tuple[JoinLink, ...]


MOST_SESSIONS = 100


def _some(sessions: tuple[S, ...]) -> tuple[S, ...]:
    # Counted after the fact: a length in the field's own rules would say "too few" beside each session that is wrong.
    if not 1 <= len(sessions) <= MOST_SESSIONS:
        message = f"there must be at least one session, and at most {MOST_SESSIONS}"
        raise ValueError(message)
    return sessions


Several = Annotated[
    tuple[S, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1, "maxItems": MOST_SESSIONS})
]
StatedSessions = Several[SessionWithLink]


class OutsideWorkshop(WorkshopContent, Event):
    """A workshop as an outside system states it; its identity is (publisher, `external_id`)."""

    topic = INBOUND["catalogue"]

    external_id: ExternalId
    sessions: StatedSessions


class OutsideWorkshopScheduled(OutsideWorkshop, type="workshop.scheduled"):
    """An outside system puts a workshop on offer."""


class OutsideWorkshopUpdated(OutsideWorkshop, type="workshop.updated"):
    """An outside system states its workshop anew."""


class OutsideWorkshopRescheduled(OutsideWorkshop, type="workshop.rescheduled"):
    """An outside system moves its workshop to other dates; it states the whole of it."""


class OutsideWorkshopCancelled(Event, type="workshop.cancelled"):
    """An outside system calls its workshop off."""

    topic = INBOUND["catalogue"]

    external_id: ExternalId
    reason: Localised | None = None


OutsideWorkshopEvent = (
    OutsideWorkshopScheduled | OutsideWorkshopUpdated | OutsideWorkshopRescheduled | OutsideWorkshopCancelled
)
