"""The calendar part of a mail: iTIP (RFC 5546) in iCalendar (RFC 5545), an event a session."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Event, Timezone, vCalAddress, vText

from services.notifications.domain import Entries, Entry
from services.notifications.rendering.letter import Letter, Paper, one_line
from shared.events.catalogue import WorkshopFact
from shared.web.i18n import Translator

Method = Literal["REQUEST", "CANCEL"]
PRODUCT = "-//Convoca//notifications//EN"
BEGIN, END = b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n"


def uid(enrolment_id: UUID, number: int, host: str) -> str:
    """Give the identity of a session in the calendar of one enrolment's holder; it never changes."""
    return f"{enrolment_id}-{number}@{host}"


def calendar(method: Method, entries: Entries, letter: Letter, paper: Paper, translator: Translator) -> bytes:
    """Write what a calendar is to hold, or to drop."""
    if letter.workshop is None or letter.enrolment_id is None:
        message = "only an enrolment in a workshop is in a calendar"
        raise ValueError(message)
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODUCT}\r\nCALSCALE:GREGORIAN\r\nMETHOD:{method}\r\n"
    events = [
        _event(number, entry, letter, letter.workshop, paper, translator) for number, entry in sorted(entries.items())
    ]
    return b"".join((head.encode(), *_zones(entries.values()), *events, b"END:VCALENDAR\r\n"))


def _event(
    number: int, entry: Entry, letter: Letter, workshop: WorkshopFact, paper: Paper, translator: Translator
) -> bytes:
    attendee = _party(letter.address, letter.name)
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    attendee.params["PARTSTAT"] = vText("ACCEPTED")
    attendee.params["RSVP"] = vText("FALSE")
    own = Event()
    own.add("uid", uid(letter.enrolment_id or UUID(int=0), number, paper.host))
    own.add("dtstamp", letter.written_at)
    own.add("attendee", attendee, encode=False)
    link = letter.join_links.get(number) if entry.where == "online" and not entry.cancelled else None
    for_everybody = _for_everybody(
        entry,
        one_line(translator.localised(workshop.title, workshop.language)),
        (paper.office.address, translator.localised(paper.office.name)),
        link or (translator.gettext("Online") if entry.where == "online" else entry.where),
        paper.workshop_url(workshop),
        translator.gettext("To join: %(link)s", link=link) if link else "",
    )
    return b"".join((BEGIN, for_everybody, _properties(own), END))


@lru_cache(maxsize=512)  # of a session's mails all lines but a few are the same, and writing them is what takes long
def _for_everybody(
    entry: Entry, title: str, organizer: tuple[str, str], where: str, url: str, description: str
) -> bytes:
    zone = ZoneInfo(entry.timezone)
    event = Event()
    event.add("sequence", entry.sequence)
    event.add("dtstart", datetime.fromisoformat(entry.starts_at).astimezone(zone))
    event.add("dtend", datetime.fromisoformat(entry.ends_at).astimezone(zone))
    event.add("summary", title)
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if entry.cancelled else "OPAQUE")
    event.add("organizer", _party(*organizer))
    if where:
        event.add("location", where)
    event.add("url", url)
    if description:
        event.add("description", description)
    return _properties(event)


def _properties(event: Event) -> bytes:
    return bytes(event.to_ical().removeprefix(BEGIN).removesuffix(END))


def _party(address: str, name: str) -> vCalAddress:
    party = vCalAddress(f"mailto:{address}")
    party.params["CN"] = vText(one_line(name).replace('"', "'"))
    return party


def _zones(entries: Iterable[Entry]) -> list[bytes]:
    years: dict[str, list[int]] = {}
    for entry in entries:
        for moment in (entry.starts_at, entry.ends_at):
            years.setdefault(entry.timezone, []).append(datetime.fromisoformat(moment).year)
    return [_zone(name, min(seen), max(seen)) for name, seen in sorted(years.items())]


@cache  # writing a time zone costs more than all the rest of a calendar
def _zone(name: str, first: int, last: int) -> bytes:
    zone = Timezone.from_tzid(name, first_date=date(first, 1, 1), last_date=date(last + 1, 1, 1))
    zone.pop("COMMENT", None)
    return bytes(zone.to_ical())
