"""The rules of taking part: plain data in, a decision out; the standard library and nothing else."""

from services.registration.domain.allocation import (
    ORGANISATION_QUOTA,
    Allocation,
    Decision,
    Request,
    Seats,
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
    "ORGANISATION_QUOTA",
    "Allocation",
    "Closed",
    "Dates",
    "Decision",
    "Request",
    "Seats",
    "State",
    "Waiting",
    "Way",
    "allocate",
    "closed_because",
    "email_identity",
    "may_become",
    "organisation_identity",
    "still_promotes",
]
