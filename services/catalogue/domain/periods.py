"""The time that a search looks at, from days as people give them."""

from datetime import date, datetime, time, timedelta, tzinfo

from services.catalogue.domain.checks import EARLIEST, LATEST

Bound = date | datetime


def period(since: Bound | None, until: Bound | None, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """Give the moments from which and before which a search looks; a day counts whole, on the clock of `zone`."""
    return (
        None if since is None else _moment(since, zone, timedelta()),
        None if until is None else _moment(until, zone, timedelta(days=1)),
    )


def _moment(bound: Bound, zone: tzinfo, after: timedelta) -> datetime:
    if isinstance(bound, datetime):
        return min(max(bound, EARLIEST), LATEST)
    within = min(max(bound, EARLIEST.date()), LATEST.date())
    return datetime.combine(within + after, time.min, zone)
