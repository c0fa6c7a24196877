"""How a workshop takes on what is said of it, and how others hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import uuid_utils.compat as uuids
from sqlalchemy.dialects.postgresql import Range

from services.catalogue import domain, repository
from services.catalogue.tables import Workshop
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.base import Localised
from shared.events.catalogue import (
    JoiningChanged,
    JoinLink,
    Session,
    SessionWithLink,
    WorkshopCancelled,
    WorkshopContent,
    WorkshopFact,
    WorkshopHeld,
    WorkshopRescheduled,
    WorkshopScheduled,
    WorkshopUpdated,
)

_CHANGES: dict[domain.Change, type[WorkshopFact]] = {
    "updated": WorkshopUpdated,
    "rescheduled": WorkshopRescheduled,
}
Sessions = tuple[SessionWithLink, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that whoever publishes a workshop says of it, checked as a whole."""

    content: WorkshopContent
    sessions: Sessions

    @classmethod
    def of(cls, content: WorkshopContent, sessions: Sequence[SessionWithLink]) -> Self:
        """Put a statement in its one form: sessions numbered, on their own clock, in order; raises Invalid."""
        faults = domain.faults_of_dates([(each.starts_at, each.ends_at) for each in sessions])
        faults += domain.faults_of_enrolment(content.registration.opens_at, content.registration.closes_at)
        faults += domain.faults_of_seats(content.seats.items(), content.per_organisation)
        numbers = domain.numbered([_number_given(each) for each in sessions])
        if numbers is None:
            faults.append(("sessions", "two sessions have the same number"))
        if faults or numbers is None:
            said = "; ".join(f"{name} {message}" for name, message in faults)
            raise Invalid(f"The workshop contradicts itself: {said}.", faults)
        plain = {name: getattr(content, name) for name in WorkshopContent.model_fields}
        placed = [_on_its_clock(each, number) for each, number in zip(sessions, numbers, strict=True)]
        return cls(
            WorkshopContent(**plain),
            tuple(sorted(placed, key=lambda each: (each.starts_at, each.number))),
        )


def _number_given(session: SessionWithLink) -> int | None:
    return session.number if "number" in session.model_fields_set else None


def _on_its_clock(session: SessionWithLink, number: int) -> SessionWithLink:
    zone = ZoneInfo(session.timezone)
    return session.model_copy(
        update={
            "number": number,
            "starts_at": session.starts_at.astimezone(zone),
            "ends_at": session.ends_at.astimezone(zone),
        }
    )


async def locked(tx: Transaction, key: UUID | str) -> Workshop:
    """Load a workshop to change it; raises NotFound."""
    row = await repository.lock(tx.session, key)
    if row is None:
        raise unknown(key)
    return row


def unknown(key: object) -> NotFound:
    """Make the answer to a question about a workshop that there is not."""
    return NotFound("unknown-workshop", f"There is no workshop {key}.")


def require(row: Workshop, step: domain.Step) -> None:
    """Raise Conflict where a workshop's life has no room for `step`."""
    if refused := domain.refusal(row.state, step):
        raise Conflict(refused.slug, refused.detail, workshop_id=str(row.workshop_id))


async def make(tx: Transaction, stated: Statement, *, slug: str | None = None) -> Workshop:
    """Add a draft; its slug is `slug`, else made of its title. The caller has waited for newcomers."""
    content = stated.content
    if slug is None:
        title = content.title.get(content.language) or next(iter(content.title.values()))
        wanted = domain.slugify(title)
        slug = domain.next_slug(wanted, await repository.slugs_like(tx.session, wanted))
    row = Workshop(
        workshop_id=uuids.uuid7(),
        slug=slug,
        state="draft",
        sequence=0,
        created_at=tx.now,
        updated_at=tx.now,
        **_columns(stated),
    )
    tx.session.add(row)
    return row


def put_on_offer(tx: Transaction, row: Workshop) -> None:
    """Schedule a draft and tell of it."""
    require(row, "schedule")
    row.state = "scheduled"
    _tell(tx, row, WorkshopScheduled, links_before=())


def differs(row: Workshop, stated: Statement) -> bool:
    """Tell whether a workshop says anything else than is stated."""
    return domain.change_between(_face(Statement(row.content, row.sessions)), _face(stated)) is not None


def restate(tx: Transaction, row: Workshop, stated: Statement) -> bool:
    """Make a locked workshop what is stated, and tell what changed, if it is on offer; answers whether anything did."""
    before = Statement(row.content, row.sessions)
    change = domain.change_between(_face(before), _face(stated))
    if change is None:
        return False
    for name, value in _columns(stated).items():
        setattr(row, name, value)
    row.updated_at = tx.now
    if row.state == "scheduled":
        if change == "rescheduled":
            row.rescheduled_at = tx.now
        _tell(tx, row, _CHANGES[change], links_before=links_of(before.sessions))
    return True


def call_off(tx: Transaction, row: Workshop, reason: Localised | None) -> None:
    """Cancel a locked workshop and tell of it."""
    require(row, "cancel")
    row.state = "cancelled"
    row.reason = reason
    _tell(tx, row, WorkshopCancelled, links_before=links_of(row.sessions))


def hold(tx: Transaction, row: Workshop) -> None:
    """Note that a locked workshop has taken place and tell of it."""
    require(row, "hold")
    row.state = "held"
    _tell(tx, row, WorkshopHeld, links_before=links_of(row.sessions))


def links_of(sessions: Sessions) -> tuple[JoinLink, ...]:
    """Give the join links of sessions, by the sessions' numbers."""
    linked = sorted((each.number, str(each.join_url)) for each in sessions if each.join_url is not None)
    return tuple(JoinLink(number=number, join_url=url) for number, url in linked)


def public(session: SessionWithLink) -> Session:
    """Give a session without what only those who take part may know."""
    return Session.model_validate(session.model_dump(exclude={"join_url"}))


def _tell(tx: Transaction, row: Workshop, fact: type[WorkshopFact], *, links_before: tuple[JoinLink, ...]) -> None:
    """Raise the version and say what happened: one fact a version; changed links beside it, under the same version."""
    row.sequence += 1
    row.updated_at = tx.now
    links = links_of(row.sessions)
    if links != links_before:
        joining = JoiningChanged(workshop_id=row.workshop_id, links=links)
        tx.emit(joining, key=row.workshop_id, sequence=row.sequence)
    told = fact(
        workshop_id=row.workshop_id,
        slug=row.slug,
        state=row.state,
        publisher=row.publisher,
        external_id=row.external_id,
        sessions=tuple(public(each) for each in row.sessions),
        reason=row.reason,
        **dict(row.content),
    )
    tx.emit(told, key=row.workshop_id, sequence=row.sequence)


def _face(stated: Statement) -> domain.Face:
    # In UTC, for Python holds a time in the hour that the clocks repeat to be unequal to itself in another zone.
    dates = {each.number: (each.starts_at.astimezone(UTC), each.ends_at.astimezone(UTC)) for each in stated.sessions}
    undated = [each.model_dump(exclude={"starts_at", "ends_at"}) for each in stated.sessions]
    return domain.Face(dates, (stated.content.model_dump(), sorted(undated, key=lambda each: each["number"])))


def _columns(stated: Statement) -> dict[str, Any]:
    """Give what a row holds of a statement, and the forms of it by which the row is found."""
    content, sessions = stated.content, stated.sessions
    places = [part for each in sessions if each.place for part in (each.place.name, each.place.city) if part]
    return {
        "content": content,
        "sessions": sessions,
        "starts_at": sessions[0].starts_at,
        "ends_at": max(each.ends_at for each in sessions),
        "occupied": [Range(each.starts_at, each.ends_at) for each in sessions],
        "modes": sorted({each.mode for each in sessions}),
        "words": domain.words_of([*content.title.values(), *content.summary.values(), *places]),
    }
