"""The rules of taking part: plain data in, a decision out; the standard library and nothing else."""

from services.registration.domain.allocation import (
    Admitted,
    Allocation,
    Attendance,
    Decision,
    Refusal,
    Request,
    Seats,
    TurnedAway,
    Waiting,
    Way,
    allocate,
)
from services.registration.domain.identity import email_identity, organisation_identity
from services.registration.domain.life import HOLDING, LIVE, State, may_become
from services.registration.domain.opening import Closed, Dates, closed_because, still_promotes

__all__ = [
    "HOLDING",
    "LIVE",
    "Admitted",
    "Allocation",
    "Attendance",
    "Closed",
    "Dates",
    "Decision",
    "Refusal",
    "Request",
    "Seats",
    "State",
    "TurnedAway",
    "Waiting",
    "Way",
    "allocate",
    "closed_because",
    "email_identity",
    "may_become",
    "organisation_identity",
    "still_promotes",
]
