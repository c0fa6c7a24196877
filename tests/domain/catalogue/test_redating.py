"""An old programme moved into the coming months keeps its weekdays, its hours and its clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain import LocalTime, moved, on_the_clock, weeks_ahead

ZONES = ("Europe/Madrid", "Europe/Copenhagen", "Europe/Athens", "Atlantic/Canary")
SPRING_OF_2024 = tuple(
    LocalTime(datetime.fromisoformat(wall), zone)
    for wall, zone in (
        ("2024-02-21T11:00", "Europe/Madrid"),
        ("2024-03-05T10:00", "Europe/Madrid"),
        ("2024-04-10T09:00", "Europe/Copenhagen"),
        ("2024-04-25T10:00", "Europe/Madrid"),
    )
)
todays = st.dates(date(2024, 1, 1), date(2045, 12, 31))
walls = st.builds(datetime.combine, st.dates(date(2024, 1, 1), date(2024, 6, 30)), st.times(time(4), time(23)))
"""Not in the night, when clocks change."""
times = st.builds(LocalTime, walls, st.sampled_from(ZONES))
programmes = st.lists(times, min_size=1, max_size=8)


@given(programmes, todays)
def test_everything_lies_ahead_on_the_same_weekday_and_hour_and_in_the_same_order(
    programme: list[LocalTime], today: date
) -> None:
    weeks = weeks_ahead(programme, today)
    after = [moved(each.moment, each.timezone, weeks) for each in programme]
    for each, moment in zip(programme, after, strict=True):
        wall = moment.astimezone(ZoneInfo(each.timezone))
        assert wall.date() > today
        assert wall.weekday() == each.wall.weekday()
        assert wall.time() == each.wall.time()
    distances = [later.wall - earlier.wall for earlier, later in pairwise(programme)]
    walls = [LocalTime.of(moment, each.timezone).wall for each, moment in zip(programme, after, strict=True)]
    assert [later - earlier for earlier, later in pairwise(walls)] == distances


@given(todays)
def test_the_clocks_change_between_the_same_dates_again(today: date) -> None:
    weeks = weeks_ahead(SPRING_OF_2024, today)
    offsets = [each.later(weeks).moment.utcoffset() for each in SPRING_OF_2024]
    assert offsets == [timedelta(hours=1), timedelta(hours=1), timedelta(hours=2), timedelta(hours=2)]


@given(todays)
def test_it_is_never_moved_further_than_the_next_spring_but_one(today: date) -> None:
    weeks = weeks_ahead(SPRING_OF_2024, today)
    assert SPRING_OF_2024[0].later(weeks).wall.date() - max(today, date(2024, 2, 21)) <= timedelta(days=400)


@given(times, todays)
def test_a_single_date_comes_as_soon_as_its_clock_allows(single: LocalTime, today: date) -> None:
    weeks = weeks_ahead([single], today)
    sooner = [each for each in range(weeks) if single.later(each).wall.date() > today + timedelta(days=6)]
    assert all(single.later(each).moment.utcoffset() != single.moment.utcoffset() for each in sooner)


def test_what_lies_ahead_already_stays_where_it_is() -> None:
    assert weeks_ahead(SPRING_OF_2024, date(2024, 2, 20)) == 0
    assert weeks_ahead([], date(2024, 2, 20)) == 0


def test_the_example_programme_comes_in_the_next_spring() -> None:
    weeks = weeks_ahead(SPRING_OF_2024, date(2026, 11, 24))
    assert [each.later(weeks).wall.date().isoformat() for each in SPRING_OF_2024] == [
        "2027-02-10",
        "2027-02-23",
        "2027-03-31",
        "2027-04-15",
    ]


def at_noon(day: str) -> LocalTime:
    return LocalTime(datetime.fromisoformat(f"{day}T12:00"), "Europe/Madrid")


def test_dates_that_no_week_suits_are_moved_with_the_fewest_changes() -> None:
    """No summer of ours is a winter too; still it lies ahead, on its weekday."""
    torn = [
        at_noon("2024-03-30"),  # a Saturday, winter time
        at_noon("2024-03-31"),  # the day after, summer time
        at_noon("2024-10-26"),  # summer time still
        at_noon("2024-10-27"),  # 30 weeks later, winter time
    ]
    weeks = weeks_ahead(torn, date(2024, 4, 1))
    after = [each.later(weeks) for each in torn]
    assert all(each.wall.date() > date(2024, 4, 1) for each in after)
    assert [each.wall.weekday() for each in after] == [5, 6, 5, 6]
    differing = sum(new.moment.utcoffset() != old.moment.utcoffset() for new, old in zip(after, torn, strict=True))
    assert differing <= 1


def test_to_move_by_nothing_keeps_even_the_second_of_two_same_hours() -> None:
    second = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)  # 02:30 for the second time that night in Madrid
    assert moved(second, "Europe/Madrid", 0) == second


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        ("2024-03-31T02:30", None),
        ("2024-03-31T03:30", "2024-03-31T03:30:00+02:00"),
        ("2024-10-27T02:30", "2024-10-27T02:30:00+02:00"),
        ("2024-02-21T11:00", "2024-02-21T11:00:00+01:00"),
    ],
)
def test_a_time_on_the_clock_means_one_moment_or_none(wall: str, expected: str | None) -> None:
    moment = on_the_clock(datetime.fromisoformat(wall), "Europe/Madrid")
    assert (moment and moment.isoformat()) == expected
