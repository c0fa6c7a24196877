"""From when to when one may ask for a seat."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Closed = Literal["cancelled", "held", "not-scheduled", "not-yet", "over", "started"]
_NOT_ON_OFFER: dict[str, Closed] = {"cancelled": "cancelled", "held": "held"}


@dataclass(frozen=True, slots=True)
class Dates:
    """What the opening of a workshop hangs on: its state, the dates of enrolment, the first session's start."""

    state: str
    opens_at: datetime | None
    closes_at: datetime | None
    starts_at: datetime | None


def closed_because(dates: Dates, now: datetime) -> Closed | None:
    """Say why nobody may enrol at `now`, or None when one may."""
    if dates.state != "scheduled":
        return _NOT_ON_OFFER.get(dates.state, "not-scheduled")
    if dates.starts_at is not None and now >= dates.starts_at:
        return "started"
    if dates.closes_at is not None and now >= dates.closes_at:
        return "over"
    if dates.opens_at is not None and now < dates.opens_at:
        return "not-yet"
    return None


def still_promotes(dates: Dates, now: datetime) -> bool:
    """Tell whether a freed seat goes to the queue: until the start, whether or not enrolment has closed."""
    return dates.state == "scheduled" and (dates.starts_at is None or now < dates.starts_at)
