"""What can be told of enrolment from the programme alone; whether a seat is left is registration's to say."""

from datetime import datetime
from typing import Literal

from services.catalogue.domain.life import State

Enrolment = Literal["open", "not-yet", "closed", "over", "cancelled"]


def enrolment_at(
    now: datetime, state: State, *, opens_at: datetime | None, closes_at: datetime | None, starts_at: datetime
) -> Enrolment:
    """Say how enrolment stands at `now`: it ends with the closing date, or else with the first session's start."""
    if state == "cancelled":
        return "cancelled"
    if state == "held" or now >= starts_at:
        return "over"
    if closes_at is not None and now >= closes_at:
        return "closed"
    if opens_at is not None and now < opens_at:
        return "not-yet"
    return "open"
