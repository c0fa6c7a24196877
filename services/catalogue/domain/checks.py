"""What a workshop may not say of itself, though each field alone is well-formed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these a date is a slip, and some clocks cannot be read any more."""
MOST_SEATS = 1_000_000
"""Above this a number is a slip too, and who keeps our facts has no column for it; without limit is null."""

Fault = tuple[str, str]


def faults_of_dates(sessions: Sequence[tuple[datetime, datetime]]) -> list[Fault]:
    """Name the sessions that no calendar of ours reaches."""
    return [
        (f"sessions.{place}.{name}", "must lie between the years 2000 and 2200")
        for place, dates in enumerate(sessions)
        for name, moment in zip(("starts_at", "ends_at"), dates, strict=True)
        if not EARLIEST <= moment < LATEST
    ]


def faults_of_enrolment(opens_at: datetime | None, closes_at: datetime | None) -> list[Fault]:
    """Name an enrolment that never is open, or is dated beyond any calendar of ours."""
    dated = (("opens_at", opens_at), ("closes_at", closes_at))
    faults = [
        (f"registration.{name}", "must lie between the years 2000 and 2200")
        for name, moment in dated
        if moment is not None and not EARLIEST <= moment < LATEST
    ]
    if not faults and opens_at is not None and closes_at is not None and closes_at <= opens_at:
        faults.append(("registration.closes_at", "must come after opens_at"))
    return faults


def faults_of_seats(seats: Iterable[tuple[str, int | None]], per_organisation: int | None) -> list[Fault]:
    """Name the numbers of seats that no room has."""
    stated = {f"seats.{attendance}": number for attendance, number in seats}
    stated["per_organisation"] = per_organisation
    return [
        (name, f"must be {MOST_SEATS} at the most; null is without limit")
        for name, number in stated.items()
        if number is not None and number > MOST_SEATS
    ]
