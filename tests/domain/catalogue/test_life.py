"""What may be done with a workshop when, what a change is called, and how enrolment stands."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain import (
    Face,
    State,
    Step,
    change_between,
    enrolment_at,
    faults_of_dates,
    faults_of_enrolment,
    numbered,
    period,
    refusal,
)

NOW = datetime(2027, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATES: tuple[State, ...] = get_args(State)
STEPS: tuple[Step, ...] = get_args(Step)


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("draft", {"schedule", "edit"}),
        ("scheduled", {"edit", "reschedule", "close", "cancel", "hold"}),
        ("held", set()),
        ("cancelled", set()),
    ],
)
def test_each_state_has_its_steps(state: State, steps: set[Step]) -> None:
    assert {step for step in STEPS if refusal(state, step) is None} == steps


def test_a_refusal_says_which_state_is_in_the_way() -> None:
    said = {state: refused.slug for state in STATES for step in STEPS if (refused := refusal(state, step))}
    assert said == {
        "draft": "not-scheduled",
        "scheduled": "already-scheduled",
        "held": "held",
        "cancelled": "cancelled",
    }


def test_a_change_is_called_by_the_dates_if_they_moved_and_else_by_the_rest() -> None:
    before = Face({1: (NOW, NOW + HOUR)}, "as it was")
    assert change_between(before, before) is None
    assert change_between(before, Face(before.dates, "other")) == "updated"
    assert change_between(before, Face({1: (NOW + HOUR, NOW + 2 * HOUR)}, "other")) == "rescheduled"
    assert change_between(before, Face({**before.dates, 2: (NOW, NOW + HOUR)}, "as it was")) == "rescheduled"


@given(st.lists(st.none() | st.integers(1, 12), max_size=10))
def test_sessions_get_numbers_of_their_own_and_keep_those_they_have(given_numbers: list[int | None]) -> None:
    claimed = [number for number in given_numbers if number is not None]
    numbers = numbered(given_numbers)
    if len(set(claimed)) < len(claimed):
        assert numbers is None
    else:
        assert numbers is not None
        assert len(set(numbers)) == len(given_numbers)
        assert all(old in (None, new) for old, new in zip(given_numbers, numbers, strict=True))


def test_sessions_without_numbers_are_counted_from_one() -> None:
    assert numbered([None, None, None]) == [1, 2, 3]
    assert numbered([None, 1, None]) == [2, 1, 3]


@pytest.mark.parametrize(
    ("state", "opens", "closes", "starts", "expected"),
    [
        ("scheduled", None, None, HOUR, "open"),
        ("scheduled", -HOUR, HOUR, 2 * HOUR, "open"),
        ("scheduled", HOUR, None, 2 * HOUR, "not-yet"),
        ("scheduled", None, timedelta(), 2 * HOUR, "closed"),
        ("scheduled", None, HOUR, timedelta(), "over"),
        ("held", None, None, -HOUR, "over"),
        ("cancelled", None, None, HOUR, "cancelled"),
    ],
)
def test_enrolment_stands_as_dates_and_state_say(
    state: State, opens: timedelta | None, closes: timedelta | None, starts: timedelta, expected: str
) -> None:
    def at(distance: timedelta | None) -> datetime | None:
        return None if distance is None else NOW + distance

    assert enrolment_at(NOW, state, opens_at=at(opens), closes_at=at(closes), starts_at=NOW + starts) == expected


def test_dates_beyond_any_calendar_are_named() -> None:
    assert faults_of_dates([(NOW, NOW + HOUR)]) == []
    far = datetime(9999, 12, 31, tzinfo=UTC)
    assert [name for name, _ in faults_of_dates([(NOW, NOW + HOUR), (NOW, far)])] == ["sessions.1.ends_at"]
    assert [name for name, _ in faults_of_enrolment(far, None)] == ["registration.opens_at"]


def test_enrolment_that_closes_before_it_opens_is_named() -> None:
    assert faults_of_enrolment(NOW, NOW + HOUR) == []
    assert [name for name, _ in faults_of_enrolment(NOW, NOW)] == ["registration.closes_at"]


def test_a_day_that_is_asked_for_counts_whole_on_the_clock_of_the_office() -> None:
    start, end = period(date(2027, 3, 28), date(2027, 3, 28), ZoneInfo("Europe/Madrid"))
    assert (start, end) == (datetime(2027, 3, 27, 23, tzinfo=UTC), datetime(2027, 3, 28, 22, tzinfo=UTC))


@given(st.dates(), st.datetimes(timezones=st.just(UTC)))
def test_any_bound_can_be_searched_by(day: date, moment: datetime) -> None:
    for bound in (*period(day, day, ZoneInfo("Pacific/Auckland")), *period(moment, moment, UTC)):
        assert bound is not None
        assert 1999 <= bound.astimezone(UTC).year <= 2200
