"""Who is told of what, and whether it still holds when it is sent: plain data in, decisions out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Rule(StrEnum):
    """Why a notice is owed; the names are stable, for the ledger and every mail show them."""

    CONFIRMED = "participant.confirmed"
    PENDING = "participant.pending"
    WAITING = "participant.waiting"
    PROMOTED = "participant.promoted"
    DECLINED = "participant.declined"
    WITHDRAWN = "participant.withdrawn"
    RESCHEDULED = "participant.rescheduled"
    CANCELLED = "participant.cancelled"
    NEW_ENROLMENTS = "staff.new-enrolments"
    WORKSHOP_FULL = "staff.workshop-full"
    OUTSIDE_WORKSHOP = "staff.outside-workshop"
    DEAD_LETTERS = "staff.dead-letters"

    @property
    def to_staff(self) -> bool:
        """Tell whether the office's own people are told, and not a participant."""
        return self.value.startswith("staff.")


STAFF = "staff:"
"""What precedes the name of one of the office's own people, where a participant's id would stand."""

LIVE = frozenset({"pending_approval", "confirmed", "waitlisted", "offered"})
"""States of an enrolment whose holder still hopes to come."""

HOLDS_IN: Mapping[Rule, frozenset[str]] = {
    Rule.CONFIRMED: frozenset({"confirmed"}),
    Rule.PROMOTED: frozenset({"confirmed"}),
    Rule.PENDING: frozenset({"pending_approval"}),
    Rule.WAITING: frozenset({"waitlisted"}),
    Rule.RESCHEDULED: LIVE,
    Rule.DECLINED: frozenset({"declined"}),
    Rule.WITHDRAWN: frozenset({"withdrawn"}),
    Rule.CANCELLED: frozenset({"cancelled"}),
}
"""The states of an enrolment in which what a rule tells its holder is true."""

PARTINGS = frozenset({Rule.DECLINED, Rule.WITHDRAWN})
"""What answers somebody's own act or request, and is true whatever becomes of the workshop."""


TOLD: Mapping[tuple[str, str], Rule] = {
    ("enrolment.created", "confirmed"): Rule.CONFIRMED,
    ("enrolment.created", "pending_approval"): Rule.PENDING,
    ("enrolment.created", "waitlisted"): Rule.WAITING,
    ("enrolment.waitlisted", "waitlisted"): Rule.WAITING,
    ("enrolment.confirmed", "confirmed"): Rule.CONFIRMED,
    ("enrolment.declined", "declined"): Rule.DECLINED,
    ("enrolment.withdrawn", "withdrawn"): Rule.WITHDRAWN,
    ("enrolment.cancelled", "cancelled"): Rule.CANCELLED,
}
"""What the holder of an enrolment is told of a step, by the event and the state that it led to."""


def participant_rule(event_type: str, state: str, before: str | None) -> Rule | None:
    """Say what the holder of an enrolment is told of a step; `before` is the state that we knew until then."""
    if event_type == "enrolment.confirmed" and before in {"waitlisted", "offered"}:
        return Rule.PROMOTED
    return TOLD.get((event_type, state))


def overtaken_rules(state: str) -> tuple[Rule, ...]:
    """Give the rules whose message is no longer true of an enrolment that has come into `state`."""
    return tuple(rule for rule, states in HOLDS_IN.items() if state not in states)


def newly_full(before: Mapping[str, int | None] | None, after: Mapping[str, int | None]) -> tuple[str, ...]:
    """Give the ways of attending that have just become full; values are the seats available, None for unlimited."""
    known = before or {}
    return tuple(sorted(way for way, left in after.items() if left == 0 and known.get(way) != 0))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known, at the moment of sending, of that which a notice speaks of."""

    rule: Rule
    recipient_known: bool
    workshop_known: bool = True
    enrolment_state: str | None = None
    workshop_state: str | None = None
    ends_at: datetime | None = None
    still_full: bool = True


class Decision(StrEnum):
    """What to do with a notice that is due; all but SEND and the LACKS are reasons not to send it."""

    SEND = "send"
    LACKS_RECIPIENT = "recipient-unknown"
    LACKS_WORKSHOP = "workshop-unknown"
    OVERTAKEN = "overtaken"
    OVER = "workshop-over"
    NO_LONGER_STAFF = "no-longer-staff"


LACKS = frozenset({Decision.LACKS_RECIPIENT, Decision.LACKS_WORKSHOP})
"""What may still come: streams are unordered among themselves."""


def judge(standing: Standing, now: datetime) -> Decision:
    """Decide whether a due notice is sent: only what is true is told, and nobody hears of what is past."""
    if standing.rule.to_staff:
        return _judge_for_staff(standing)
    if standing.enrolment_state not in HOLDS_IN[standing.rule]:
        return Decision.OVERTAKEN
    if not standing.workshop_known:
        return Decision.LACKS_WORKSHOP
    if standing.rule not in PARTINGS:
        if standing.ends_at is not None and standing.ends_at <= now:
            return Decision.OVER
        if standing.workshop_state == "cancelled" and standing.rule is not Rule.CANCELLED:
            return Decision.OVERTAKEN
    return Decision.SEND if standing.recipient_known else Decision.LACKS_RECIPIENT


def _judge_for_staff(standing: Standing) -> Decision:
    if not standing.recipient_known:
        return Decision.NO_LONGER_STAFF
    if not standing.workshop_known:
        return Decision.LACKS_WORKSHOP
    return Decision.SEND if standing.still_full else Decision.OVERTAKEN


# Gathering: many events, few mails.

QUARTER = timedelta(minutes=15)
LATECOMERS = timedelta(seconds=10)
"""How long after a quarter its mail goes, so that what was being committed at its end is counted."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time whose events are told in one mail, which is due at its end."""

    opened_at: datetime
    due_at: datetime


def quarter(now: datetime) -> Window:
    """Give the quarter of an hour, by the clock, that `now` is in."""
    opened = datetime.fromtimestamp(now.timestamp() // QUARTER.total_seconds() * QUARTER.total_seconds(), UTC)
    return Window(opened, opened + QUARTER + LATECOMERS)


def at_once_then_hourly(last: Window | None, now: datetime) -> Window:
    """Give the window an incident belongs to: due at once after a quiet hour, else an hour after the last mail.

    Answers `last` itself while its mail is still to come.
    """
    if last is not None and now < last.due_at:
        return last
    if last is not None and now < last.due_at + HOUR:
        return Window(now, last.due_at + HOUR)
    return Window(now, now)


# The calendar: what each person's calendar was told, session by session.


@dataclass(frozen=True, slots=True)
class Entry:
    """A session as a calendar was last told of it; `content` is what matters to who comes: when and where."""

    sequence: int
    starts_at: str
    ends_at: str
    timezone: str
    where: str
    cancelled: bool = False

    @property
    def content(self) -> tuple[str, str, str, str]:
        """Give what makes a change material."""
        return self.starts_at, self.ends_at, self.timezone, self.where


Entries = Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class CalendarChange:
    """What a mail tells a calendar, and what that calendar knows afterwards."""

    requests: Entries = field(default_factory=dict)
    cancels: Entries = field(default_factory=dict)
    known: Entries = field(default_factory=dict)


def invite(known: Entries, wanted: Entries) -> CalendarChange:
    """Ask a calendar to hold `wanted`: SEQUENCE rises where when or where changed, and what fell away is cancelled."""
    requests = {number: _revised(known.get(number), entry) for number, entry in wanted.items()}
    cancels = _cancelled(known, (number for number in known if number not in wanted))
    return CalendarChange(requests, cancels, {**known, **requests, **cancels})


def call_off(known: Entries) -> CalendarChange:
    """Take back whatever a calendar was asked to hold; nothing where it was asked nothing (RFC 5546, 3.2.5)."""
    cancels = _cancelled(known, known)
    return CalendarChange({}, cancels, {**known, **cancels})


def _revised(before: Entry | None, entry: Entry) -> Entry:
    sequence = 0
    if before is not None:
        sequence = before.sequence + (before.cancelled or before.content != entry.content)
    return Entry(sequence, *entry.content)


def _cancelled(known: Entries, numbers: Iterable[int]) -> dict[int, Entry]:
    return {
        number: Entry(known[number].sequence + 1, *known[number].content, cancelled=True)
        for number in numbers
        if not known[number].cancelled
    }


# Trying again.

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=15)
FIRST_LOOK = timedelta(milliseconds=50)
PATIENCE = timedelta(days=3)


def retry_after(attempts: int, chance: float) -> timedelta:
    """Give how long to wait after a failed attempt, the first being 1; `chance` in [0, 1) spreads the retries."""
    doublings: int = min(attempts - 1, 20)
    wait = min(FIRST_RETRY * (1 << doublings), LONGEST_RETRY)
    return wait * (0.5 + chance / 2)


def look_again_after(owed_for: timedelta) -> timedelta:
    """Give how long to wait for a person or a workshop to become known, when nothing says that they have.

    Soon at first: an enrolment and its person come at the same time on two streams, and where the one is looked at
    while the other is being kept, neither sees the other.
    """
    return min(max(owed_for, FIRST_LOOK), LONGEST_RETRY)
