"""What is to be said, and to whom; and the paper it is said on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from unicodedata import category
from uuid import UUID

from services.notifications.domain import CalendarChange, Entries, Entry, Rule
from shared.events.base import Attendance, Language
from shared.events.catalogue import Session, WorkshopFact
from shared.settings import Office
from shared.web.tokens import Links

_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f<>\"(),:;@\[\\\]]{1,64}@[^\s\x00-\x1f\x7f<>\"(),:;@\[\\\]]{1,255}")


class Unaddressable(Exception):  # noqa: N818 - an adjective: nobody can be written to there
    """An address is none that mail can be sent to."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a service could not take."""

    service: str
    reason: str
    from_topic: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice with all that it says. Which fields matter is the rule's affair."""

    notice_id: UUID
    rule: Rule
    name: str
    address: str
    language: Language
    written_at: datetime
    workshop: WorkshopFact | None = None
    enrolment_id: UUID | None = None
    enrolment_state: str | None = None
    attendance: Attendance = "in_person"
    waitlist_position: int | None = None
    join_links: Mapping[int, str] = field(default_factory=dict)
    before: tuple[Session, ...] = ()
    calendar: CalendarChange = field(default_factory=CalendarChange)
    count: int = 1
    since: datetime | None = None
    full: tuple[Attendance, ...] = ()
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What is the same on every letter of an installation: whose it is, and where its pages are."""

    office: Office
    mail_from: str
    """An address and nothing more."""
    public_url: str
    links: Links

    @property
    def host(self) -> str:
        """Give the domain in whose name identifiers are made."""
        return ascii_address(self.mail_from).rpartition("@")[2]

    def manage_url(self, enrolment_id: UUID) -> str:
        """Give the page on which whoever has its link may change an enrolment."""
        return f"{self.public_url}/enrolments/{self.links.enrolment_token(enrolment_id)}"

    def workshop_url(self, workshop: WorkshopFact) -> str:
        """Give a workshop's public page."""
        return f"{self.public_url}/workshops/{workshop.slug}"

    @property
    def programme_url(self) -> str:
        """Give the page that lists what is on offer."""
        return f"{self.public_url}/workshops"


def ascii_address(address: str) -> str:
    """Write an address with its domain as the DNS has it; raises Unaddressable where it is no address."""
    if not _ADDRESS.fullmatch(address) or not address.isprintable():
        raise Unaddressable
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise Unaddressable from error


def one_line(text: str) -> str:
    """Make a single line of a text that others wrote: no line break, no control or direction mark survives."""
    if not text.isprintable():
        text = "".join(" " if category(char)[0] in "CZ" else char for char in text)
    return " ".join(text.split())


def is_online(session: Session, attendance: Attendance) -> bool:
    """Tell whether one who attends in this way joins this session from afar."""
    return session.mode == "online" or (session.mode == "hybrid" and attendance == "online")


def address_of(session: Session) -> str:
    """Write where people meet, on one line; empty where the publisher did not say."""
    place = session.place
    if place is None:
        return ""
    parts = [one_line(part) for part in (place.name, place.address, place.city) if part]
    return ", ".join(part for index, part in enumerate(parts) if part not in parts[:index])


def calendar_entries(workshop: WorkshopFact, attendance: Attendance) -> Entries:
    """Give what the calendar of one who attends in this way should hold."""
    return {
        session.number: Entry(
            sequence=0,
            starts_at=session.starts_at.isoformat(),
            ends_at=session.ends_at.isoformat(),
            timezone=session.timezone,
            where="online" if is_online(session, attendance) else address_of(session),
        )
        for session in workshop.sessions
    }
