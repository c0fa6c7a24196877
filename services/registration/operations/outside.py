"""What outside systems ask of enrolments: each gives up only those for which it asked itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.registration.operations import enrolling, leaving
from services.registration.operations.refusals import unknown_enrolment
from services.registration.operations.requests import Request
from services.registration.repository import requests, seats
from services.registration.repository.enrolments import Enrolment
from shared.database import Transaction
from shared.errors import Conflict, Forbidden
from shared.events.registration import OwnRequest
from shared.events.topics import INBOUND
from shared.messaging import inbox, publishers

REQUESTS = f"registration.{INBOUND['registration'].name}"
"""The consumer by which requests of outside systems come in."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An outside system gives up an enrolment, which it names by its id or by its own request."""

    publisher: str
    enrolment: UUID | OwnRequest
    reason: str | None = None

    @property
    def by(self) -> str:
        """Who takes the step, as steps have it."""
        return f"publisher:{self.publisher}"


async def withdraw_outside(tx: Transaction, asked: Withdrawal) -> Enrolment:
    """Withdraw an enrolment for the system that asked for it; one that is withdrawn already stays so.

    Raises NotFound, for the request may still be on its way; Conflict `request-refused` where it was answered with no,
    and `wrong-state`; Forbidden where somebody else had asked for the enrolment.
    """
    enrolment_id = await _found(tx, asked)
    if enrolment_id is None:
        await _require_open(tx, asked)
        raise unknown_enrolment()
    asker = await requests.asked_by(tx.session, enrolment_id)
    if asker is None:
        raise unknown_enrolment()
    if asker != asked.by:
        slug = "not-owner"
        raise Forbidden(slug, f"{asked.publisher} did not ask for this enrolment, so it is not its to withdraw.")
    return await leaving.withdraw(tx, enrolment_id, asked.by, asked.reason)


async def hold_all(tx: Transaction, enrolments: Sequence[Request], withdrawals: Sequence[Withdrawal]) -> None:
    """Lock the seats of all workshops that these touch, before one after the other is done.

    Else two transactions could each hold what the other comes to later.
    """
    left = [found for each in withdrawals if (found := await _found(tx, each)) is not None]
    wanted = {*await enrolling.workshops_of(tx, enrolments), *await requests.workshops_of(tx.session, left)}
    await seats.lock(tx.session, wanted)


async def _found(tx: Transaction, asked: Withdrawal) -> UUID | None:
    if isinstance(asked.enrolment, UUID):
        return asked.enrolment
    return await requests.enrolment_of(tx.session, asked.by, asked.enrolment.request)


async def _require_open(tx: Transaction, asked: Withdrawal) -> None:
    """Raise Conflict where the request that a withdrawal names was refused: no enrolment will come of it."""
    if isinstance(asked.enrolment, OwnRequest):
        request = inbox.Identity(publishers.source_of(asked.publisher), asked.enrolment.request)
        outcome = await inbox.outcome_of(tx.session, REQUESTS, request)
        if outcome and outcome.state == "refused":
            slug = "request-refused"
            raise Conflict(slug, f"Nothing came of this request ({outcome.detail}), so nothing is to be withdrawn.")
