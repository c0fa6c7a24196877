"""Bodies of requests and answers."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.registration.domain import Attendance, State
from services.registration.operations import Accepted, Life
from services.registration.repository.enrolments import Enrolment
from services.registration.repository.histories import Listed
from shared.events.registration import EnrolmentForm, Reason

EXAMPLE: JsonDict = {
    "workshop_id": "019927c4-7d1e-7a3b-9c55-0d6f8a1b2c3d",
    "attendance": "in_person",
    "person": {"name": "Núria Camps", "email": "nuria@example.org", "language": "ca"},
    "organisation": {"name": "Ajuntament de Vic", "kind": "city", "country": "ES", "population": 39844},
    "accepts": ["privacy"],
    "groups": [],
}


class EnrolmentRequest(EnrolmentForm):
    """What one sends to enrol."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    workshop_id: UUID


class EnrolmentAccepted(BaseModel):
    """What a request got; whoever has `manage_url` may see and withdraw it."""

    enrolment_id: UUID
    workshop_id: UUID
    state: State
    attendance: Attendance
    waitlist_position: int | None
    manage_url: str

    @classmethod
    def of(cls, accepted: Accepted, manage_url: str) -> Self:
        """Write the answer."""
        return cls(
            enrolment_id=accepted.enrolment_id,
            workshop_id=accepted.workshop_id,
            state=accepted.state,
            attendance=accepted.attendance,
            waitlist_position=accepted.waitlist_position,
            manage_url=manage_url,
        )


class StepShown(BaseModel):
    """A step: from which state to which, who took it, when and why."""

    at: datetime
    before: State | None
    after: State
    by: str
    reason: str | None


class EnrolmentShown(BaseModel):
    """An enrolment as its holder and staff see it; `number` is its place in the order of acceptance, for ever."""

    enrolment_id: UUID
    workshop_id: UUID
    person_id: UUID
    organisation_id: UUID | None
    attendance: Attendance
    state: State
    waitlist_position: int | None
    number: int
    accepted_at: datetime
    requested_at: datetime | None
    updated_at: datetime
    reason: str | None
    history: list[StepShown]

    @classmethod
    def of(cls, life: Life) -> Self:
        """Show an enrolment with its steps."""
        history = [
            StepShown(at=step.at, before=step.before, after=step.after, by=step.by, reason=step.reason)
            for step in life.steps
        ]
        return cls(**_plain(life.enrolment), history=history)


class EnrolmentListed(BaseModel):
    """An enrolment in the list of a workshop, with who it is; for staff."""

    enrolment_id: UUID
    workshop_id: UUID
    person_id: UUID
    organisation_id: UUID | None
    number: int
    state: State
    waitlist_position: int | None
    attendance: Attendance
    name: str
    email: str
    language: str
    organisation: str | None
    kind: str | None
    country: str | None
    population: int | None
    accepted_at: datetime
    requested_at: datetime | None
    updated_at: datetime
    reason: str | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """Show an enrolment with who it is."""
        return cls(
            **_plain(listed.enrolment),
            name=listed.name,
            email=listed.email,
            language=listed.language,
            organisation=listed.organisation,
            kind=listed.kind,
            country=listed.country,
            population=listed.population,
        )


class Approval(BaseModel):
    """What is to be done when no seat is left: to refuse, so that it stays pending, or to let it wait."""

    when_full: Literal["refuse", "waitlist"] = "refuse"


class Declining(BaseModel):
    """Why an enrolment is declined: the person is told, and so are the systems that follow us, so name nobody."""

    reason: Reason | None = Field(None, examples=["The workshop is for public bodies."])


def _plain(enrolment: Enrolment) -> dict[str, object]:
    return {name: getattr(enrolment, name) for name in Enrolment.__slots__ if name not in {"sequence", "by"}}
