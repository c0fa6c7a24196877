"""What an attempt to send means for a notice: where patience, doubt and final words are decided."""

from datetime import datetime, timedelta
from typing import Literal

from services.notifications import domain
from services.notifications.clients import InDoubt, Refused, Undelivered, Unreachable
from services.notifications.operations.send import Sending, Settled
from services.notifications.repository.sending import Mark

Ending = Literal["sent", "failed", "uncertain"]


def accepted(sending: Sending, now: datetime) -> Settled:
    """Say what SMTP's acceptance means: it is sent, unless it may have been taken once before."""
    if sending.in_doubt:
        return _ended(sending, "uncertain", "interrupted", sent_at=now)
    return _ended(sending, "sent", None, sent_at=now)


def undelivered(sending: Sending, error: Undelivered, now: datetime, chance: float) -> Settled:
    """Say what it means that SMTP did not take it, or did not say so; `chance` in [0, 1) spreads the retries."""
    wait = domain.retry_after(sending.attempts, chance)
    match error:
        case Unreachable():
            return _again(sending, error.reason, now, timedelta(), tried=False)
        case InDoubt():
            return _doubted(sending, error.reason, now + wait)
        case Refused():
            return given_up(sending, error.reason)
        case _:
            return _again(sending, error.reason, now, wait)


def unwritable(sending: Sending, now: datetime, chance: float) -> Settled:
    """Try again what could not be written, by a fault of ours: a later version may be able to."""
    return _again(sending, "unwritable", now, domain.retry_after(sending.attempts, chance))


def given_up(sending: Sending, reason: str) -> Settled:
    """Send it no more; that it never was is only sure where no attempt is in doubt."""
    return _ended(sending, "uncertain" if sending.in_doubt else "failed", reason)


def _again(sending: Sending, reason: str, now: datetime, wait: timedelta, *, tried: bool = True) -> Settled:
    if now - sending.owed_since > domain.PATIENCE:
        return given_up(sending, reason)
    return Settled(sending, Mark(sending.notice_id, "owed", now + wait, reason, in_doubt=sending.in_doubt, tried=tried))


def _doubted(sending: Sending, reason: str, due_at: datetime) -> Settled:
    """Let what may have been taken go once more, and then no more."""
    if sending.in_doubt:
        return _ended(sending, "uncertain", reason)
    return Settled(sending, Mark(sending.notice_id, "owed", due_at, reason, in_doubt=True))


def _ended(sending: Sending, state: Ending, reason: str | None, sent_at: datetime | None = None) -> Settled:
    mark = Mark(
        sending.notice_id,
        state,
        sending.due_at,
        reason,
        language=sending.letter.language,
        sent_at=sent_at,
        in_doubt=sending.in_doubt,
        calendar=sending.letter.calendar.known if sent_at else None,
    )
    return Settled(sending, mark)
