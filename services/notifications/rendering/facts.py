"""The facts that a mail lists under its words: when, where, how to join, how many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.notifications.domain import Rule
from services.notifications.rendering.letter import Letter, Paper, address_of, is_online, one_line
from shared.events.catalogue import Session, WorkshopFact
from shared.web.i18n import Translator
from shared.web.words import word

INVITING = frozenset({Rule.CONFIRMED, Rule.PROMOTED, Rule.RESCHEDULED})
PARTED = frozenset({Rule.DECLINED, Rule.WITHDRAWN, Rule.CANCELLED})


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a fact; `href` where it leads, `struck` where it no longer holds."""

    text: str
    href: str | None = None
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a reader looks for: its name, and its lines."""

    label: str
    lines: tuple[Line, ...]


def facts_of(letter: Letter, paper: Paper, translator: Translator) -> tuple[Fact, ...]:
    """List the facts that a letter's rule calls for; one without lines is left out."""
    if letter.trouble is not None:
        facts = _of_trouble(letter, translator)
    elif letter.workshop is None:
        facts = []
    elif letter.rule.to_staff:
        facts = _for_staff(letter, letter.workshop, paper, translator)
    else:
        facts = _for_participants(letter, letter.workshop, paper, translator)
    return tuple(fact for fact in facts if fact.lines)


def _for_participants(letter: Letter, workshop: WorkshopFact, paper: Paper, translator: Translator) -> list[Fact]:
    _ = translator.gettext
    over = letter.rule is Rule.CANCELLED
    before = [Line(when, struck=True) for when in _dates(letter.before, paper, translator)]
    facts = [
        Fact(_("Activity"), (Line(_title(workshop, translator)),)),
        Fact(_("Before"), tuple(before)),
        Fact(_("Now") if before else _("When"), _when(workshop.sessions, letter, paper, translator, struck=over)),
    ]
    if letter.rule is Rule.CANCELLED and workshop.reason:
        reason = one_line(translator.localised(workshop.reason, workshop.language))
        facts.append(Fact(_("Why"), (Line(reason),)))
    if letter.rule in PARTED:
        return facts
    facts.append(Fact(_("Where"), _where(workshop.sessions, letter, translator)))
    facts.append(Fact(_("How to join"), _joining(workshop.sessions, letter, translator)))
    if letter.enrolment_state == "waitlisted" and letter.waitlist_position is not None:
        place = (Line(translator.number(letter.waitlist_position)),)
        facts.append(Fact(_("Your place in the queue"), place))
    return facts


def _for_staff(letter: Letter, workshop: WorkshopFact, paper: Paper, translator: Translator) -> list[Fact]:
    _ = translator.gettext
    facts = [
        Fact(_("Activity"), (Line(_title(workshop, translator)),)),
        Fact(_("When"), tuple(Line(when) for when in _dates(workshop.sessions, paper, translator))),
    ]
    if letter.rule is Rule.WORKSHOP_FULL:
        ways = tuple(Line(word(translator, "attendance", way)) for way in letter.full)
        facts.append(Fact(_("Full"), ways))
    if letter.rule is Rule.OUTSIDE_WORKSHOP:
        facts.append(Fact(_("Published by"), (Line(one_line(workshop.publisher or "")),)))
    return facts


def _of_trouble(letter: Letter, translator: Translator) -> list[Fact]:
    _ = translator.gettext
    trouble = letter.trouble
    if trouble is None:
        return []
    return [
        Fact(_("Service"), (Line(one_line(trouble.service)),)),
        Fact(_("Reason"), (Line(one_line(trouble.reason)),)),
        Fact(_("Stream"), (Line(one_line(trouble.from_topic)),)),
        Fact(_("Sent by"), (Line(one_line(trouble.source)),) if trouble.source else ()),
        Fact(_("How many"), (Line(translator.number(letter.count)),)),
        Fact(_("To see them"), (Line(f"convoca dead-letters list --service {one_line(trouble.service)}"),)),
    ]


def _title(workshop: WorkshopFact, translator: Translator) -> str:
    return one_line(translator.localised(workshop.title, workshop.language))


def _dates(sessions: Iterable[Session], paper: Paper, translator: Translator) -> list[str]:
    reader = paper.office.timezone
    return [translator.when(each.starts_at, each.ends_at, each.timezone, reader) for each in sessions]


def _when(
    sessions: Sequence[Session], letter: Letter, paper: Paper, translator: Translator, *, struck: bool
) -> tuple[Line, ...]:
    dates = _dates(sessions, paper, translator)
    places = [_place(each, letter, translator) for each in sessions]
    if len(set(places)) > 1 and not struck:
        dates = [f"{when} · {place}" if place else when for when, place in zip(dates, places, strict=True)]
    return tuple(Line(when, struck=struck) for when in dates)


def _where(sessions: Sequence[Session], letter: Letter, translator: Translator) -> tuple[Line, ...]:
    places = {_place(each, letter, translator) for each in sessions}
    return tuple(Line(place) for place in places if place and len(places) == 1)  # else each stands beside its date


def _place(session: Session, letter: Letter, translator: Translator) -> str:
    if is_online(session, letter.attendance):
        return translator.gettext("Online")
    country = session.place.country if session.place else None
    place = address_of(session)
    return f"{place} ({translator.country(country)})" if country and place else place


def _joining(sessions: Sequence[Session], letter: Letter, translator: Translator) -> tuple[Line, ...]:
    """Tell only who has a place how to join, session by session where the links differ."""
    online = [each for each in sessions if is_online(each, letter.attendance)]
    if letter.enrolment_state != "confirmed" or not online:
        return ()
    links = {each.number: letter.join_links[each.number] for each in online if each.number in letter.join_links}
    if not links:
        return (Line(translator.gettext("You will find the link on the page of your enrolment, in good time.")),)
    if len(set(links.values())) == 1:
        link = next(iter(links.values()))
        return (Line(link, link),)
    return tuple(
        Line(f"{translator.day(each.starts_at, each.timezone)}: {links[each.number]}", links[each.number])
        for each in online
        if each.number in links
    )
