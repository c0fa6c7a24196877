"""The checks of a storm see what they are there to see: a small course of events, with one thing wrong at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.chaos import checks
from tests.chaos.ledger import Asked, Ledger, Offered
from tests.chaos.seen import Said, Seen
from tests.system.stack import Mail
from tests.system.streams import Record

WORKSHOP = UUID(int=7)
STARTS = "2041-04-10T09:30:00+02:00"
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
    "DTSTART:20410410T073000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
FIRST, SECOND = UUID(int=1), UUID(int=2)
STATES = {FIRST: "confirmed", SECOND: "waitlisted"}
RULES = {FIRST: "participant.confirmed", SECOND: "participant.waiting"}


def said(event: str, kind: str, key: UUID, **data: Any) -> Said:  # noqa: ANN401 - any field of a fact
    topic = "registration.seats" if kind == "seats.changed" else "registration.enrolments"
    return Said("registration", event, topic, str(key), kind, 1, {"workshop_id": str(WORKSHOP), **data}, sent=True)


def record(of: Said, sequence: int = 1) -> Record:
    headers = (("ce_id", of.event_id.encode()), ("ce_sequence", f"{sequence:010}".encode()))
    return Record(of.topic, 0, 0, of.key.encode(), b"{}", headers)


def mail(of: UUID) -> Mail:
    calendar = CALENDAR if of == FIRST else None
    address = f"{of.int}@example.org"
    return Mail(n=of.int, to=address, subject="", message_id=f"<{of}@here>", text="", html="", calendar=calendar)


def as_promised() -> tuple[Ledger, Seen]:
    """Give two who asked for one seat, one after the other, and all that follows."""
    ledger = Ledger(workshops={WORKSHOP: Offered(WORKSHOP, 1, STARTS)})
    for who in STATES:
        answer = {"enrolment_id": str(who)}
        ledger.by_http.append(Asked(WORKSHOP, f"{who.int}@example.org", str(who), {}, who.int, who.int + 0.5, answer))
    seats = {"in_person": {"capacity": 1, "confirmed": 1, "offered": 0, "waitlisted": 1, "available": 0}}
    told = [said(f"e{who.int}", "enrolment.created", who, state=STATES[who], number=who.int) for who in STATES]
    told.append(said("s1", "seats.changed", WORKSHOP, seats=seats))
    rows: list[Any] = [
        {
            "enrolment_id": who,
            "workshop_id": WORKSHOP,
            "email": f"{who.int}@example.org",
            "number": who.int,
            "state": state,
            "sequence": 1,
            "attendance": "in_person",
        }
        for who, state in STATES.items()
    ]
    notices: list[Any] = [
        {"notice_id": who, "event_id": f"e{who.int}", "rule": rule, "state": "sent", "workshop_id": WORKSHOP}
        for who, rule in RULES.items()
    ]
    steps: list[Any] = [{"enrolment_id": who, "sequence": 1} for who in STATES]
    counted: list[Any] = [{"workshop_id": WORKSHOP, "attendance": "in_person", **seats["in_person"]}]
    copies = {who: (1, state) for who, state in STATES.items()}
    return ledger, Seen(
        told,
        [record(each) for each in told],
        rows,
        steps,
        counted,
        {},
        copies,
        notices,
        0,
        [mail(each) for each in STATES],
    )


def test_a_course_of_events_as_promised_is_not_complained_of() -> None:
    found = checks.hold(*as_promised())
    assert found.wrong == []
    assert (found.events, found.enrolments, found.mails, found.uncertain) == (3, 2, 2, 0)


WRONG: dict[str, Callable[[Seen], Seen]] = {
    "lost: the request": lambda seen: replace(seen, enrolments=seen.enrolments[:1]),
    "lost: notifications does not know": lambda seen: replace(seen, copies={}),
    "lost: enrolment.created e1 is not on": lambda seen: replace(seen, records=seen.records[1:]),
    "lost: enrolment.created e1 was never sent": lambda seen: replace(
        seen, said=[replace(seen.said[0], sent=False), *seen.said[1:]]
    ),
    "lost: of enrolment.created e2 nobody was to be told": lambda seen: replace(seen, notices=seen.notices[:1]),
    "lost: the notice": lambda seen: replace(seen, mails=seen.mails[:1]),
    "twice: version 1": lambda seen: replace(seen, said=[*seen.said, replace(seen.said[0], event_id="e3")]),
    "twice: 1@example.org is enrolled 2 times": lambda seen: replace(
        seen, enrolments=[*seen.enrolments, seen.enrolments[0]]
    ),
    "twice: the notice": lambda seen: replace(seen, mails=[*seen.mails, mail(FIRST)]),
    "disorder: on registration.enrolments": lambda seen: replace(
        seen, records=[record(replace(seen.said[0], event_id="e4"), 2), *seen.records]
    ),
    "disorder: 1 dead letters": lambda seen: replace(seen, dead_letters=1),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_what_is_wrong_is_complained_of(complaint: str) -> None:
    ledger, seen = as_promised()
    assert [text for text in checks.hold(ledger, WRONG[complaint](seen)).wrong if text.startswith(complaint)]


def test_a_seat_that_was_given_out_of_turn_is_complained_of() -> None:
    ledger, seen = as_promised()
    first, second = seen.enrolments
    swapped: list[Any] = [{**first, "state": "waitlisted"}, {**second, "state": "confirmed"}]
    told = [replace(each, data={**each.data, "state": "waitlisted"}) for each in seen.said[:1]]
    told += [replace(each, data={**each.data, "state": "confirmed"}) for each in seen.said[1:2]]
    found = checks.hold(ledger, replace(seen, enrolments=swapped, said=[*told, seen.said[2]]))
    assert [text for text in found.disorder if "1 waits, and 2 has a seat" in text]


def test_who_asked_later_and_stands_before_is_complained_of() -> None:
    ledger, seen = as_promised()
    numbers: list[Any] = [{**each, "number": 3 - each["number"]} for each in seen.enrolments]
    found = checks.hold(ledger, replace(seen, enrolments=numbers))
    assert [text for text in found.disorder if "was asked after 2 had its answer" in text]


def test_a_doubtful_mail_may_come_twice_and_no_more() -> None:
    ledger, seen = as_promised()
    doubtful: list[Any] = [{**seen.notices[0], "state": "uncertain"}, seen.notices[1]]
    twice = replace(seen, notices=doubtful, mails=[*seen.mails, mail(FIRST)])
    assert checks.hold(ledger, twice).wrong == []
    assert checks.hold(ledger, replace(twice, mails=[*twice.mails, mail(FIRST)])).twice
