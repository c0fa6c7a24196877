"""Sending what is owed: claiming it before SMTP hears of it, deciding whether it still holds, and marking its end."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import cast
from uuid import UUID

from services.notifications import domain
from services.notifications.domain import CalendarChange, Decision, Entries, Rule, Standing
from services.notifications.operations.announce import FACTS, announce
from services.notifications.rendering.letter import Letter, Trouble, calendar_entries
from services.notifications.repository import sending
from services.notifications.repository.owing import Ended
from services.notifications.repository.sending import Claimed, Mark
from shared.database import Transaction
from shared.events.base import Attendance, Language
from shared.events.catalogue import JoiningChanged, Session, WorkshopFact
from shared.observability import Origin
from shared.settings import Staff


@dataclass(frozen=True, slots=True)
class Sending:
    """A notice on its way: its letter, where it comes from, and what to remember of it."""

    letter: Letter
    origin: Origin
    attempts: int
    in_doubt: bool
    owed_since: datetime
    due_at: datetime

    @property
    def notice_id(self) -> UUID:
        """Give the notice's id."""
        return self.letter.notice_id


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be sent now, and when to look again for what others lack; None where nothing lacks."""

    sendings: Sequence[Sending]
    look_again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a notice that was on its way."""

    sending: Sending
    mark: Mark


async def settle(tx: Transaction, claim: int, settled: Sequence[Settled]) -> None:
    """Mark what was on its way; who was told of a date is remembered with what their calendar now holds."""
    await _mark(tx, claim, [each.mark for each in settled])


async def take_due(tx: Transaction, claim: int, limit: int, staff: Mapping[str, Staff]) -> Due:
    """Claim what is due, and answer what is to be sent of it; what no longer holds ends here, what lacks waits."""
    marks: list[Mark] = []
    taken: list[Sending] = []
    for claimed in await sending.claim_due(tx.session, claim, limit, tx.now):
        letter = _letter(claimed, staff, tx.now)
        decision = domain.judge(_standing(claimed, letter), tx.now)
        if decision is Decision.SEND:
            source = Origin(claimed.correlation_id, claimed.traceparent)
            taken.append(
                Sending(letter, source, claimed.attempts, claimed.in_doubt, claimed.created_at, claimed.due_at)
            )
        else:
            marks.append(_unsent(claimed, decision, tx.now))
    await _mark(tx, claim, marks)
    return Due(taken, min((mark.due_at for mark in marks if mark.state == "owed"), default=None))


async def recover(tx: Transaction, claim: int, in_flight: Collection[UUID]) -> None:
    """Take up what senders that are no more had in hand: it may have gone, so it is sent once more and no more.

    What this sender holds unawares, because the answer to its commit was lost, had not been begun.
    """
    unawares = await sending.claimed_besides(tx.session, claim, in_flight)
    await _mark(tx, claim, [Mark(each, "owed", tx.now, tried=False) for each in unawares])
    orphans = await sending.adopt_orphans(tx.session, claim)
    await _mark(
        tx,
        claim,
        [
            Mark(each.notice_id, "uncertain", tx.now, reason="interrupted-twice")
            if each.in_doubt
            else Mark(each.notice_id, "owed", tx.now, in_doubt=True)
            for each in orphans
        ],
    )


async def _mark(tx: Transaction, claim: int, marks: Sequence[Mark]) -> None:
    ended: dict[str, list[Ended]] = {}
    for state, notice in await sending.mark(tx.session, claim, marks):
        ended.setdefault(state, []).append(notice)
    for state in FACTS:
        announce(tx, state, ended.get(state, ()))


def _unsent(claimed: Claimed, decision: Decision, now: datetime) -> Mark:
    if decision in domain.LACKS:
        owed_for = now - claimed.created_at
        if owed_for > domain.PATIENCE:
            return Mark(claimed.notice_id, "failed", now, reason=decision.value)
        due_at = now + domain.look_again_after(owed_for)
        return Mark(claimed.notice_id, "owed", due_at, decision.value, in_doubt=claimed.in_doubt, tried=False)
    if claimed.in_doubt:
        return Mark(claimed.notice_id, "uncertain", now, reason=decision.value)
    return Mark(claimed.notice_id, "suppressed", now, reason=decision.value)


def _standing(claimed: Claimed, letter: Letter) -> Standing:
    workshop = letter.workshop
    available = json.loads(claimed.available or "{}")
    return Standing(
        rule=letter.rule,
        recipient_known=bool(letter.address),
        workshop_known=workshop is not None or claimed.workshop_id is None,
        enrolment_state=claimed.enrolment_state,
        workshop_state=workshop.state if workshop else None,
        ends_at=max((each.ends_at for each in workshop.sessions), default=None) if workshop else None,
        still_full=all(available.get(way) == 0 for way in letter.full),
    )


def _letter(claimed: Claimed, staff: Mapping[str, Staff], now: datetime) -> Letter:
    """Put together all that a notice says, from the newest that is known."""
    rule = Rule(claimed.rule)
    name, address, language = claimed.name or "", claimed.email or "", claimed.language or "ca"
    if rule.to_staff and (member := staff.get(claimed.recipient.removeprefix(domain.STAFF))):
        name, address, language = member.name, member.email, member.language
    workshop = _workshop(claimed.workshop)
    attendance = cast("Attendance", claimed.attendance or "in_person")
    details = json.loads(claimed.details)
    return Letter(
        notice_id=claimed.notice_id,
        rule=rule,
        name=name,
        address=address,
        language=cast("Language", language),
        written_at=now,
        workshop=workshop,
        enrolment_id=claimed.enrolment_id,
        enrolment_state=claimed.enrolment_state,
        attendance=attendance,
        waitlist_position=claimed.waitlist_position,
        join_links=_links(claimed.joining),
        before=tuple(Session.model_validate(each) for each in details.get("before", ())),
        calendar=_calendar(rule, claimed, workshop, attendance),
        count=claimed.count or 1,
        since=claimed.since,
        full=tuple(details.get("full", ())),
        trouble=Trouble(**details) if rule is Rule.DEAD_LETTERS else None,
    )


def _calendar(rule: Rule, claimed: Claimed, workshop: WorkshopFact | None, attendance: Attendance) -> CalendarChange:
    known: Entries = sending.read_calendar(claimed.calendar)
    if rule in domain.PARTINGS or rule is Rule.CANCELLED:
        return domain.call_off(known)
    if claimed.enrolment_state == "confirmed" and workshop is not None:
        return domain.invite(known, calendar_entries(workshop, attendance))
    return CalendarChange()


@lru_cache(maxsize=1024)
def _workshop(data: str | None) -> WorkshopFact | None:
    """Read a workshop as it was kept: many mails speak of the same one."""
    return None if data is None else WorkshopFact.model_validate_json(data)


@lru_cache(maxsize=1024)
def _links(data: str | None) -> Mapping[int, str]:
    if data is None:
        return {}
    return {each.number: each.join_url for each in JoiningChanged.model_validate_json(data).links}
