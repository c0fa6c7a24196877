"""To enrol once, however often it is asked under one key (the header `Idempotency-Key`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.registration.operations.enrolling import enrol
from services.registration.operations.requests import Accepted, Outcome, Request
from services.registration.repository import idempotency
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


async def enrol_once(tx: Transaction, asked: Sequence[Keyed]) -> list[Outcome]:
    """Decide requests as `enrol` does; a key that was answered within a day is answered the same again.

    The same key with another body is Invalid `idempotency-key-reused`. Kept are enrolments and conflicts; where nothing
    was decided (the workshop is not known, the body is wrong) the key stays free.
    """
    first: dict[str, int] = {}
    for place, each in enumerate(asked):
        if each.key is not None:
            first.setdefault(each.key, place)
    hashes = {key: asked[place].body_hash() for key, place in first.items()}
    kept = await idempotency.claim(tx.session, hashes, tx.now) if hashes else {}
    fresh = [
        place
        for place, each in enumerate(asked)
        if each.key is None or (first[each.key] == place and each.key not in kept)
    ]
    decided = dict(zip(fresh, await enrol(tx, [asked[place].request for place in fresh]), strict=True))
    await _keep(tx, {key: decided[place] for key, place in first.items() if place in decided})
    answers = {key: (hashes[key], decided[place]) for key, place in first.items() if place in decided}
    answers |= {key: (one.body_hash, _revived(one.answer)) for key, one in kept.items()}
    return [
        decided[place] if place in decided else _again(each, *answers[each.key or ""])
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


async def _keep(tx: Transaction, decided: Mapping[str, Outcome]) -> None:
    packed = {key: _packed(outcome) for key, outcome in decided.items()}
    await idempotency.answer(tx.session, {key: answer for key, answer in packed.items() if answer})
    await idempotency.release(tx.session, [key for key, answer in packed.items() if not answer])


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
