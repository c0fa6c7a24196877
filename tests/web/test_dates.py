"""Dates as people write them: the phrases themselves, and what holds for any dates."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.base import Language
from shared.web import dates

LANGUAGES: tuple[Language, ...] = get_args(Language)
DASH = "\N{EN DASH}"
MORNING = datetime(2027, 3, 10, 10, 0, tzinfo=UTC)
NOON = datetime(2027, 3, 10, 11, 0, tzinfo=UTC)
any_dates = st.lists(st.dates(date(2026, 1, 1), date(2029, 12, 31)), min_size=1, max_size=8)


def april(*numbers: int) -> list[date]:
    return [date(2027, 4, number) for number in numbers]


@pytest.mark.parametrize(
    ("on", "language", "written"),
    [
        (date(2027, 3, 13), "ca", "13 de març de 2027"),
        (date(2027, 4, 11), "ca", "11 d'abril de 2027"),
        (date(2027, 8, 1), "ca", "1 d'agost de 2027"),
        (date(2027, 10, 2), "ca", "2 d'octubre de 2027"),
        (date(2027, 3, 13), "es", "13 de marzo de 2027"),
        (date(2027, 3, 13), "en", "13 March 2027"),
    ],
)
def test_a_day_is_written_as_in_a_letter(on: date, language: Language, written: str) -> None:
    assert dates.day(language, on) == written


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("ca", "dimecres, 10 de març de 2027"),
        ("es", "miércoles, 10 de marzo de 2027"),
        ("en", "Wednesday, 10 March 2027"),
    ],
)
def test_a_day_may_say_its_day_of_the_week(language: Language, written: str) -> None:
    assert dates.weekday(language, date(2027, 3, 10)) == written


@pytest.mark.parametrize(
    ("several", "language", "written"),
    [
        (april(11, 10), "ca", "10 i 11 d'abril de 2027"),
        (april(10, 11), "es", "10 y 11 de abril de 2027"),
        (april(10, 11), "en", "10 and 11 April 2027"),
        (april(10, 10), "ca", "10 d'abril de 2027"),
        (april(3, 10, 17), "en", "3, 10 and 17 April 2027"),
        ([date(2027, 3, 5), *april(10, 11, 25)], "ca", "5 de març i 10, 11 i 25 d'abril de 2027"),
        (april(9, 10, 11), "ca", "del 9 a l'11 d'abril de 2027"),
        (april(1, 2, 3), "ca", "de l'1 al 3 d'abril de 2027"),
        (april(1, 2, 3), "es", "del 1 al 3 de abril de 2027"),
        (april(1, 2, 3), "en", "1 to 3 April 2027"),
        ([*april(29, 30), date(2027, 5, 1)], "ca", "del 29 d'abril a l'1 de maig de 2027"),
        (
            [date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 4)],
            "ca",
            "30 i 31 de desembre de 2026 i 4 de gener de 2027",
        ),
        (
            [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2)],
            "es",
            "del 31 de diciembre de 2026 al 2 de enero de 2027",
        ),
    ],
)
def test_days_say_once_what_they_share(several: list[date], language: Language, written: str) -> None:
    assert dates.days(language, several) == written


def test_no_days_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no days"):
        dates.days("ca", [])


@given(any_dates, st.sampled_from(LANGUAGES))
def test_days_are_the_same_in_whatever_order_and_number_they_come(several: list[date], language: Language) -> None:
    assert dates.days(language, several) == dates.days(language, [*reversed(several), several[0]])


@given(any_dates, st.sampled_from(LANGUAGES))
def test_days_name_their_first_and_last_day_and_every_year_once(several: list[date], language: Language) -> None:
    written = dates.days(language, several)
    assert dates.day(language, max(several)) in written
    assert str(min(several).day) in written
    assert all(str(on.year) in written for on in (min(several), max(several)))
    if len({on.year for on in several}) == 1:
        assert written.count(str(several[0].year)) == 1


@given(any_dates, st.sampled_from(LANGUAGES))
def test_different_days_are_never_written_alike(several: list[date], language: Language) -> None:
    others = [*several, max(several) + timedelta(days=1)]
    assert dates.days(language, several) != dates.days(language, others)


def test_a_moment_falls_on_the_day_of_its_zone() -> None:
    late = datetime(2027, 3, 10, 23, 30, tzinfo=UTC)
    assert dates.day("ca", late, "Europe/Madrid") == "11 de març de 2027"
    assert dates.day("ca", late, "America/New_York") == "10 de març de 2027"
    with pytest.raises(ValueError, match="time zone"):
        dates.day("ca", late)


@pytest.mark.parametrize(
    ("zone", "language", "named"),
    [
        ("Europe/Copenhagen", "ca", "hora de Copenhaguen"),
        ("Europe/Copenhagen", "es", "hora de Copenhague"),
        ("Europe/Copenhagen", "en", "Copenhagen time"),
        ("Europe/Athens", "ca", "hora d'Atenes"),
        ("Europe/Helsinki", "ca", "hora d'Hèlsinki"),
        ("Europe/Madrid", "ca", "hora peninsular"),
        ("Europe/Madrid", "en", "Madrid time"),
        ("Atlantic/Canary", "es", "hora de Canarias"),
        ("America/Argentina/Buenos_Aires", "en", "Buenos Aires time"),
        ("UTC", "ca", "UTC"),
        ("Etc/UTC", "ca", "UTC"),
        ("Etc/GMT+5", "ca", "UTC-0500"),
    ],
)
def test_a_zone_is_called_what_people_call_it(zone: str, language: Language, named: str) -> None:
    assert dates.zone(language, zone) == named


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("ca", f"dimecres, 10 de març de 2027, 11:00{DASH}12:00 (hora de Copenhaguen)"),
        ("es", f"miércoles, 10 de marzo de 2027, 11:00{DASH}12:00 (hora de Copenhague)"),
        ("en", f"Wednesday, 10 March 2027, 11:00{DASH}12:00 (Copenhagen time)"),
    ],
)
def test_when_says_day_hours_and_whose_clock(language: Language, written: str) -> None:
    assert dates.when(language, MORNING, NOON, "Europe/Copenhagen") == written


def test_when_says_the_hours_of_the_reader_too_where_their_clock_differs() -> None:
    said = dates.when("ca", MORNING, NOON, "Europe/Athens", reader="Europe/Madrid")
    assert said.endswith(f"12:00{DASH}13:00 (hora d'Atenes) · 11:00{DASH}12:00 (hora peninsular)")


def test_when_does_not_repeat_itself_to_a_reader_whose_clock_is_the_same() -> None:
    said = dates.when("ca", MORNING, NOON, "Europe/Copenhagen", reader="Europe/Madrid")
    assert said == dates.when("ca", MORNING, NOON, "Europe/Copenhagen")


def test_when_says_the_day_of_the_reader_if_it_is_another_day_there() -> None:
    said = dates.when("en", MORNING, NOON, "Europe/Madrid", reader="Pacific/Auckland")
    assert f"11:00{DASH}12:00 (Madrid time)" in said
    assert f"Wednesday, 10 March 2027, 23:00 {DASH} Thursday, 11 March 2027, 00:00 (Auckland time)" in said


def test_a_session_over_midnight_says_both_days() -> None:
    said = dates.when("ca", MORNING, MORNING + timedelta(hours=15), "Europe/Madrid")
    assert said == f"dimecres, 10 de març de 2027, 11:00 {DASH} dijous, 11 de març de 2027, 2:00 (hora peninsular)"


def test_hours_follow_the_change_of_the_clocks() -> None:
    winter, summer = (datetime(2027, month, 10, 8, 0, tzinfo=UTC) for month in (3, 4))
    assert dates.time("en", winter, "Europe/Copenhagen") == "09:00"
    assert dates.time("en", summer, "Europe/Copenhagen") == "10:00"


@pytest.mark.parametrize(
    ("at", "language", "written"),
    [
        (MORNING, "ca", "dimecres, 10 de març de 2027 a les 11:00"),
        (MORNING, "es", "miércoles, 10 de marzo de 2027 a las 11:00"),
        (MORNING, "en", "Wednesday, 10 March 2027 at 11:00"),
        (datetime(2027, 3, 10, 0, 15, tzinfo=UTC), "ca", "dimecres, 10 de març de 2027 a la 1:15"),
        (datetime(2027, 3, 10, 0, 15, tzinfo=UTC), "es", "miércoles, 10 de marzo de 2027 a la 1:15"),
    ],
)
def test_a_deadline_is_told_with_its_hour(at: datetime, language: Language, written: str) -> None:
    assert dates.moment(language, at, "Europe/Madrid") == written
