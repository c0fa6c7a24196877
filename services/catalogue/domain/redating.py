"""An old programme moved into the coming months, as a person would who knows that Tuesdays stay Tuesdays.

The whole programme moves by one whole number of weeks, so that weekdays, the hours on the clock, and the distances
between its dates stay. Of the weeks that lie far enough ahead the first is taken in which every time has the offset
from UTC that it had: so winter time stays winter time, and a change of the clocks that fell between two dates falls
between them again. Where no week of the next two years does that for all, the one does that fails the fewest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.catalogue.domain.checks import EARLIEST, LATEST

LEAD = timedelta(days=7)
"""How long before its first date a programme should be known at least."""
WEEKS_TO_TRY = 106


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A time on the clock of a place, without an offset: what an invitation says."""

    wall: datetime
    timezone: str

    @classmethod
    def of(cls, moment: datetime, timezone: str) -> "LocalTime":
        """Read a moment off the clock of `timezone`."""
        return cls(moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None, fold=0), timezone)

    @property
    def moment(self) -> datetime:
        """Give the moment, with its offset."""
        return self.wall.replace(tzinfo=ZoneInfo(self.timezone))

    def later(self, weeks: int) -> "LocalTime":
        """Give the same weekday and hour on the clock, `weeks` later."""
        return LocalTime(self.wall + timedelta(weeks=weeks), self.timezone)


def weeks_ahead(times: Sequence[LocalTime], today: date) -> int:
    """Say by how many weeks a programme with these times must move so that all of it lies ahead of `today`.

    0 where nothing is in the past; never negative.
    """
    if not times or all(time.wall.date() > today for time in times):
        return 0
    earliest = min(time.wall.date() for time in times)
    behind = today + LEAD - earliest
    first = max(0, -(-behind.days // 7))
    return min(range(first, first + WEEKS_TO_TRY), key=lambda weeks: (_clocks_that_differ(times, weeks), weeks))


def _clocks_that_differ(times: Sequence[LocalTime], weeks: int) -> int:
    return sum(time.later(weeks).moment.utcoffset() != time.moment.utcoffset() for time in times)


def moved(moment: datetime, timezone: str, weeks: int) -> datetime:
    """Give `moment` moved by whole weeks on the clock of `timezone`; by none it stays what it is."""
    return moment if weeks == 0 else LocalTime.of(moment, timezone).later(weeks).moment


def on_the_clock(wall: datetime, timezone: str) -> datetime | None:
    """Give the moment that a time on a clock means; None where the clocks jump over it.

    Of an hour that the clocks repeat the first is meant.
    """
    local = LocalTime(wall, timezone)
    if not EARLIEST.year <= wall.year < LATEST.year:  # no clock of ours goes there; others will refuse the date
        return local.moment
    return local.moment if LocalTime.of(local.moment.astimezone(UTC), timezone) == local else None
