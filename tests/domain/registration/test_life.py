"""The life of an enrolment, its opening dates, and who is who."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain import (
    HOLDING,
    LIVE,
    Dates,
    closed_because,
    email_identity,
    may_become,
    organisation_identity,
    still_promotes,
)
from services.registration.domain.life import State

NOW = datetime(2027, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATES: tuple[State, ...] = (
    "pending_approval", "confirmed", "waitlisted", "offered", "offer_expired",
    "declined", "withdrawn", "cancelled", "attended", "absent",
)  # fmt: skip
OPEN = Dates("scheduled", NOW - HOUR, NOW + HOUR, NOW + 2 * HOUR)


@pytest.mark.parametrize("state", sorted(LIVE))
def test_any_live_one_may_be_given_up_refused_or_cancelled(state: State) -> None:
    assert all(may_become(state, end) for end in ("withdrawn", "declined", "cancelled"))


@given(st.sampled_from([state for state in STATES if state not in LIVE]), st.sampled_from(STATES))
def test_what_has_ended_stays_as_it_is(state: State, wanted: State) -> None:
    assert not may_become(state, wanted)


def test_a_seat_is_reached_from_approval_the_queue_or_an_offer() -> None:
    before = {state for state in STATES if may_become(state, "confirmed")}
    assert before == {"pending_approval", "waitlisted", "offered"}
    assert HOLDING <= LIVE


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (OPEN, None),
        (Dates("scheduled", None, None, NOW + HOUR), None),
        (Dates("scheduled", NOW, None, NOW + HOUR), None),
        (Dates("scheduled", NOW + HOUR, None, None), "not-yet"),
        (Dates("scheduled", None, NOW, NOW + HOUR), "over"),
        (Dates("scheduled", None, None, NOW), "started"),
        (Dates("cancelled", None, None, NOW + HOUR), "cancelled"),
        (Dates("held", None, None, NOW - HOUR), "held"),
        (Dates("draft", None, None, NOW + HOUR), "not-scheduled"),
    ],
)
def test_one_may_enrol_from_the_opening_until_closing_or_start(dates: Dates, reason: str | None) -> None:
    assert closed_because(dates, NOW) == reason


def test_the_queue_moves_after_closing_but_not_after_the_start() -> None:
    assert still_promotes(Dates("scheduled", None, NOW - HOUR, NOW + HOUR), NOW)
    assert not still_promotes(Dates("scheduled", None, None, NOW), NOW)
    assert not still_promotes(Dates("cancelled", None, None, NOW + HOUR), NOW)


def test_letter_case_makes_nobody_another_person() -> None:
    assert email_identity("Nuria@Example.CAT") == email_identity(" nuria@example.cat")
    assert email_identity("nu\u0301ria@example.cat") == email_identity("NÚRIA@example.cat")


def test_an_organisation_is_its_kind_country_and_name() -> None:
    vic = organisation_identity("Ajuntament  de Vic", "city", "ES")
    assert vic == organisation_identity("ajuntament de VIC ", "city", "ES")
    assert vic != organisation_identity("Ajuntament de Vic", "city", None)
    assert vic != organisation_identity("Ajuntament de Vic", "company", "ES")
