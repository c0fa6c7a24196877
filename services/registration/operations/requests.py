"""What is asked of registration, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.registration.domain import Attendance, State
from shared.errors import Problem
from shared.events.registration import EnrolmentForm, OutsideReference
from shared.messaging.envelope import Envelope
from shared.observability import Origin


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks to take part; `by` is who says so, `cause` the event or the HTTP request that did."""

    workshop: UUID | OutsideReference
    form: EnrolmentForm
    by: str = "participant"
    requested_at: datetime | None = None
    cause: Envelope | Origin | None = None

    @property
    def publisher(self) -> str | None:
        """Tell which outside system asks, if one does."""
        kind, _, name = self.by.partition(":")
        return name if kind == "publisher" else None

    @property
    def id(self) -> str | None:
        """Give what an outside system calls its request: the id of the event."""
        return self.cause.id if self.publisher and isinstance(self.cause, Envelope) else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that nothing speaks against but, perhaps, the seats and who it is; known by the id it would get."""

    enrolment_id: UUID
    workshop_id: UUID
    request: Request
    person: str
    organisation: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request became an enrolment."""

    enrolment_id: UUID
    workshop_id: UUID
    state: State
    attendance: Attendance
    waitlist_position: int | None


Outcome = Accepted | Problem
