"""Workshops as a calendar that one subscribes to (iCalendar, RFC 5545): an event a session, without join links."""

from collections.abc import Iterable
from datetime import UTC, datetime

from icalendar import Calendar, Event

from services.catalogue.tables import Workshop
from shared.events.catalogue import Session
from shared.web.i18n import Translator

PRODUCT = "-//Convoca//catalogue//EN"


def calendar(rows: Iterable[Workshop], name: str, public_url: str, now: datetime, translator: Translator) -> bytes:
    """Write what a calendar is to show; `name` is what it is called, `now` when it was written."""
    whole = Calendar()
    whole.add("version", "2.0")
    whole.add("prodid", PRODUCT)
    whole.add("calscale", "GREGORIAN")
    whole.add("method", "PUBLISH")
    whole.add("x-wr-calname", name)
    for row in rows:
        for session in row.sessions:
            whole.add_component(_event(row, session, public_url, now, translator))
    return bytes(whole.to_ical())


def _event(row: Workshop, session: Session, public_url: str, now: datetime, translator: Translator) -> Event:
    content = row.content
    event = Event()
    # The same for as long as the session is: its number stays when it is moved.
    event.add("uid", f"{row.workshop_id}-{session.number}@catalogue")
    event.add("sequence", row.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", session.starts_at.astimezone(UTC))
    event.add("dtend", session.ends_at.astimezone(UTC))
    event.add("summary", translator.localised(content.title, content.language))
    if said := translator.localised(content.summary, content.language):
        event.add("description", said)
    event.add("status", "CANCELLED" if row.state == "cancelled" else "CONFIRMED")
    place = session.place
    where = [place.name, place.address, place.city] if place and session.mode != "online" else []
    if session.mode != "in_person":
        where.append(translator.gettext("Online"))
    event.add("location", ", ".join(part for part in where if part))
    event.add("url", f"{public_url}/workshops/{row.slug}")
    return event
