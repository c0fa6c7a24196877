"""What registration does: load, decide, save, emit; a transaction comes first, and nothing here commits it."""

from services.registration.operations.answering import Keyed, Overtaken, enrol_once, forget_keys
from services.registration.operations.approving import approve, decline
from services.registration.operations.enrolling import enrol
from services.registration.operations.leaving import withdraw
from services.registration.operations.organisations import take_organisation
from services.registration.operations.outside import Withdrawal, hold_all, withdraw_outside
from services.registration.operations.reading import Life, Offer, Part, life, offer, part, seats_of, taking_part
from services.registration.operations.requests import Accepted, Outcome, Request
from services.registration.operations.workshops import keep_joining, keep_workshop

__all__ = [
    "Accepted",
    "Keyed",
    "Life",
    "Offer",
    "Outcome",
    "Overtaken",
    "Part",
    "Request",
    "Withdrawal",
    "approve",
    "decline",
    "enrol",
    "enrol_once",
    "forget_keys",
    "hold_all",
    "keep_joining",
    "keep_workshop",
    "life",
    "offer",
    "part",
    "seats_of",
    "take_organisation",
    "taking_part",
    "withdraw",
    "withdraw_outside",
]
