"""To enrol once, however often it is asked under one key (the header `Idempotency-Key`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.registration.operations.enrolling import enrol
from services.registration.operations.requests import Accepted, Outcome, Request
from services.registration.repository import idempotency
from services.registration.repository.idempotency import Kept
from shared.database import Transaction
from shared.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request, and the key under which it may be sent again; without one each time is a new time."""

    request: Request
    key: str | None = None

    def body_hash(self) -> bytes:
        """Give what tells one body from another."""
        body = f"{self.request.workshop}\n{self.request.form.model_dump_json()}"
        return hashlib.sha256(body.encode()).digest()


class Overtaken(Exception):  # noqa: N818 - no error: the same call, made anew, reads what was answered
    """Another transaction has answered one of the keys in the meantime; nothing of this one may stand."""


async def enrol_once(tx: Transaction, asked: Sequence[Keyed]) -> list[Outcome]:
    """Decide requests as `enrol` does; a key that was answered within a day is answered the same again.

    The same key with another body is Invalid `idempotency-key-reused`. Kept are enrolments and conflicts; where nothing
    was decided (the workshop is not known, the body is wrong) the key stays free. Raises Overtaken.
    """
    first: dict[str, int] = {}
    for place, each in enumerate(asked):
        if each.key is not None:
            first.setdefault(each.key, place)
    kept = await idempotency.kept(tx.session, first, tx.now) if first else {}
    fresh = [
        place
        for place, each in enumerate(asked)
        if each.key is None or (first[each.key] == place and each.key not in kept)
    ]
    decided = dict(zip(fresh, await enrol(tx, [asked[place].request for place in fresh]), strict=True))
    answered = {key: (asked[place].body_hash(), decided[place]) for key, place in first.items() if place in decided}
    await _keep(tx, answered)
    answered |= {key: (one.body_hash, _revived(one.answer)) for key, one in kept.items()}
    return [
        decided[place] if place in decided else _again(each, *answered[each.key or ""])
        for place, each in enumerate(asked)
    ]


async def forget_keys(tx: Transaction) -> None:
    """Forget the keys that are honoured no longer."""
    await idempotency.forget(tx.session, tx.now)


def _again(asked: Keyed, body_hash: bytes, outcome: Outcome) -> Outcome:
    if asked.body_hash() == body_hash:
        return outcome
    detail = "This key was used for another request within a day: take a new key for a new request."
    return Invalid(detail, [("Idempotency-Key", detail)], slug="idempotency-key-reused")


async def _keep(tx: Transaction, answered: Mapping[str, tuple[bytes, Outcome]]) -> None:
    packed = {key: (body_hash, _packed(outcome)) for key, (body_hash, outcome) in answered.items()}
    answers = {key: Kept(body_hash, answer) for key, (body_hash, answer) in packed.items() if answer}
    if answers and not await idempotency.keep(tx.session, answers, tx.now):
        raise Overtaken


def _packed(outcome: Outcome) -> Mapping[str, Any] | None:
    match outcome:
        case Accepted():
            return {
                "enrolment_id": str(outcome.enrolment_id),
                "workshop_id": str(outcome.workshop_id),
                "state": outcome.state,
                "attendance": outcome.attendance,
                "waitlist_position": outcome.waitlist_position,
            }
        case Conflict():
            return {"conflict": outcome.slug, "detail": outcome.detail, "extra": outcome.extra}
        case _:
            return None


def _revived(answer: Mapping[str, Any]) -> Outcome:
    if "conflict" in answer:
        return Conflict(answer["conflict"], answer["detail"], **answer["extra"])
    return Accepted(
        UUID(answer["enrolment_id"]),
        UUID(answer["workshop_id"]),
        answer["state"],
        answer["attendance"],
        answer["waitlist_position"],
    )
