"""Who is told, what still holds, how events are gathered, and what calendars are told."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications import domain
from services.notifications.domain import Decision, Entries, Entry, Rule, Standing, Window

NOW = datetime(2027, 1, 11, 9, 7, tzinfo=UTC)
STATES = ("pending_approval", "confirmed", "waitlisted", "declined", "withdrawn", "cancelled")
TYPES = ("created", "confirmed", "waitlisted", "declined", "withdrawn", "cancelled", "attended")


@given(st.sampled_from(TYPES), st.sampled_from(STATES), st.sampled_from((None, *STATES)))
def test_what_one_is_told_of_a_step_is_true_after_it(kind: str, state: str, before: str | None) -> None:
    rule = domain.participant_rule(f"enrolment.{kind}", state, before)

    assert rule is None or rule is Rule.PROMOTED or state in domain.HOLDS_IN[rule]


def test_a_seat_from_the_queue_is_told_otherwise_than_one_that_staff_approved() -> None:
    assert domain.participant_rule("enrolment.confirmed", "confirmed", "waitlisted") is Rule.PROMOTED
    assert domain.participant_rule("enrolment.confirmed", "confirmed", "pending_approval") is Rule.CONFIRMED


def test_a_step_that_nobody_is_told_of_owes_nothing() -> None:
    assert domain.participant_rule("enrolment.attended", "attended", "confirmed") is None


@pytest.mark.parametrize("rule", [each for each in Rule if not each.to_staff])
@pytest.mark.parametrize("state", STATES)
def test_only_what_is_still_true_is_sent(rule: Rule, state: str) -> None:
    standing = Standing(rule, recipient_known=True, enrolment_state=state, workshop_state="scheduled")

    decision = domain.judge(standing, NOW)

    assert (decision is Decision.SEND) == (state in domain.HOLDS_IN[rule])
    assert (rule in domain.overtaken_rules(state)) == (decision is Decision.OVERTAKEN)


def test_what_is_over_is_told_to_nobody_but_who_parts() -> None:
    ended = NOW - timedelta(minutes=1)
    confirmed = Standing(Rule.CONFIRMED, recipient_known=True, enrolment_state="confirmed", ends_at=ended)
    withdrawn = Standing(Rule.WITHDRAWN, recipient_known=True, enrolment_state="withdrawn", ends_at=ended)

    assert domain.judge(confirmed, NOW) is Decision.OVER
    assert domain.judge(withdrawn, NOW) is Decision.SEND


def test_a_place_in_a_cancelled_workshop_is_not_confirmed_any_more() -> None:
    standing = Standing(Rule.CONFIRMED, recipient_known=True, enrolment_state="confirmed", workshop_state="cancelled")

    assert domain.judge(standing, NOW) is Decision.OVERTAKEN


def test_what_is_not_known_yet_is_waited_for() -> None:
    known = Standing(Rule.CONFIRMED, recipient_known=False, enrolment_state="confirmed")

    assert domain.judge(known, NOW) is Decision.LACKS_RECIPIENT
    assert domain.judge(known, NOW) in domain.LACKS


def test_who_has_left_the_staff_is_told_nothing() -> None:
    assert domain.judge(Standing(Rule.DEAD_LETTERS, recipient_known=False), NOW) is Decision.NO_LONGER_STAFF


def test_a_workshop_is_full_when_a_way_of_attending_crosses_to_none_left() -> None:
    assert domain.newly_full(None, {"in_person": 0, "online": None}) == ("in_person",)
    assert domain.newly_full({"in_person": 1}, {"in_person": 0}) == ("in_person",)
    assert domain.newly_full({"in_person": 0}, {"in_person": 0}) == ()
    assert domain.newly_full({"in_person": 0}, {"in_person": 1}) == ()


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_each_moment_is_in_one_quarter_of_an_hour(moment: datetime) -> None:
    window = domain.quarter(moment)

    assert window.opened_at <= moment < window.opened_at + domain.QUARTER
    assert window.opened_at.minute % 15 == 0
    assert window.due_at >= window.opened_at + domain.QUARTER


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_however_incidents_come_the_first_is_told_at_once_and_then_one_mail_an_hour(gaps: list[int]) -> None:
    now, last = NOW, None
    dues: list[datetime] = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        window = domain.at_once_then_hourly(last, now)
        assert window.due_at >= now or window == last
        if window != last:
            dues.append(window.due_at)
        last = window

    assert dues[0] == NOW + timedelta(seconds=gaps[0])
    assert all(later - earlier >= domain.HOUR for earlier, later in pairwise(dues))


def test_after_a_quiet_hour_the_next_incident_is_told_at_once() -> None:
    last = Window(NOW, NOW)

    assert domain.at_once_then_hourly(last, NOW + timedelta(hours=1)).due_at == NOW + timedelta(hours=1)
    assert domain.at_once_then_hourly(last, NOW + timedelta(minutes=59)).due_at == NOW + timedelta(hours=1)


ENTRIES = st.dictionaries(
    st.integers(1, 4),
    st.builds(Entry, st.just(0), st.sampled_from("ab"), st.sampled_from("ab"), st.just("UTC"), st.sampled_from("ab")),
    max_size=4,
)


@given(st.lists(st.one_of(ENTRIES, st.none()), min_size=1, max_size=12))
def test_sequence_rises_on_material_change_only_and_what_goes_is_called_off(wishes: list[Entries | None]) -> None:
    known: Entries = {}
    for wanted in wishes:
        before = known
        change = domain.call_off(known) if wanted is None else domain.invite(known, wanted)
        known = change.known

        for number, entry in change.requests.items():
            old = before.get(number)
            changed = old is None or old.cancelled or old.content != entry.content
            assert entry.sequence == (0 if old is None else old.sequence + changed)
        for number, entry in change.cancels.items():
            assert entry.cancelled
            assert entry.sequence == before[number].sequence + 1
        standing = {number for number, entry in known.items() if not entry.cancelled}
        assert standing == set(wanted or ())


def test_a_calendar_that_was_told_nothing_is_not_told_to_forget() -> None:
    assert domain.call_off({}) == domain.CalendarChange()


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_retries_come_later_and_later_but_never_too_late(attempts: int, chance: float) -> None:
    wait = domain.retry_after(attempts, chance)

    assert domain.FIRST_RETRY / 2 <= wait <= domain.LONGEST_RETRY
