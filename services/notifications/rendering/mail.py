"""The writing of a mail: the words of its rule, the facts, the footer, as text and as HTML, and the calendar part.

The words of each rule are in `templates/mails/<rule>.txt`, their translations in `locale/`.
"""

from dataclasses import dataclass
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifications.domain import QUARTER, Entries, Rule
from services.notifications.rendering import ics, mime
from services.notifications.rendering.facts import PARTED, facts_of
from services.notifications.rendering.letter import Letter, Paper, ascii_address, one_line
from shared.web.i18n import N_, Catalogues, Translator

SERVICE = Path(__file__).parent.parent
BECAUSE = {
    False: N_("You receive this message because you enrolled in this activity."),
    True: N_("You receive this message because you are on the staff list of %(office)s."),
}


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing that a reader may want to do next."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says before it is laid out."""

    subject: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as SMTP carries it: from which address, to which, and every byte of it."""

    sender: str
    recipient: str
    content: bytes


def write(letter: Letter, paper: Paper, catalogues: Catalogues) -> Mail:
    """Write the mail of a letter; raises Unaddressable where its address is none.

    The same notice gives the same Message-ID, so that one who gets it twice sees it once.
    """
    sender, recipient = ascii_address(paper.mail_from), ascii_address(letter.address)
    translator = catalogues.translator(letter.language)
    words = _words(letter, paper, translator)
    context = {
        "words": words,
        "facts": facts_of(letter, paper, translator),
        "action": _action(letter, paper, translator),
        "greeting": _greeting(letter, translator),
        "because": translator.gettext(BECAUSE[letter.rule.to_staff], office=_office(paper, translator)),
        "rule": letter.rule.value,
        "office": _office(paper, translator),
        "office_address": paper.office.address,
        "language": letter.language,
        "_": translator.gettext,
    }
    readable = (
        mime.text("plain", _layouts().get_template("letter.txt").render(context)),
        mime.text("html", _layouts().get_template("letter.html").render(context)),
    )
    calendars = _calendars(letter, paper, translator)
    mark = letter.notice_id.hex
    # Once among the alternatives, where mail programs look for it, and once as a file, where people do.
    shown = (mime.data(content_type, written) for content_type, written, _ in calendars[:1])
    files = (mime.data(*each) for each in calendars)
    alternatives = mime.multipart("alternative", f"words_{mark}", (*readable, *shown))
    body = mime.multipart("mixed", f"whole_{mark}", (alternatives, *files))
    return Mail(sender, recipient, _head(letter, paper, translator, words.subject) + body)


def _greeting(letter: Letter, translator: Translator) -> str:
    if letter.rule.to_staff:  # whose names are what the ledger calls them
        return translator.gettext("Hello,")
    return translator.gettext("Hello, %(name)s,", name=one_line(letter.name))


def message_id(notice_id: UUID, host: str) -> str:
    """Give the Message-ID of a notice."""
    return f"<{notice_id}@{host}>"


def _head(letter: Letter, paper: Paper, translator: Translator, subject: str) -> bytes:
    office = _office(paper, translator)
    return b"".join(
        (
            mime.mailbox("From", office, ascii_address(paper.mail_from)),
            mime.mailbox("To", one_line(letter.name), ascii_address(letter.address)),
            mime.mailbox("Reply-To", office, ascii_address(paper.office.address)),
            mime.unstructured("Subject", subject),
            mime.header("Date", format_datetime(letter.written_at)),
            mime.header("Message-ID", message_id(letter.notice_id, paper.host)),
            mime.header("Content-Language", letter.language),
            mime.header("Auto-Submitted", "auto-generated"),  # RFC 3834, 5: so that no autoresponder answers
            mime.header("X-Auto-Response-Suppress", "All"),
            mime.header("X-Convoca-Rule", letter.rule.value),
            mime.header("MIME-Version", "1.0"),
        )
    )


def _words(letter: Letter, paper: Paper, translator: Translator) -> Words:
    """Say the template of the letter's rule: its first paragraph is the subject."""
    workshop = letter.workshop
    title = one_line(translator.localised(workshop.title, workshop.language)) if workshop else ""
    zone = paper.office.timezone
    said = (
        _sayings()
        .get_template(f"{letter.rule.value}.txt")
        .render(
            {
                "_": translator.gettext,
                "ngettext": translator.ngettext,
                "title": title,
                "days": _days(letter, translator),
                "state": letter.enrolment_state,
                "calendar": letter.calendar,
                "publisher": one_line(workshop.publisher or "") if workshop else "",
                "count": letter.count,
                "number": translator.number(letter.count),
                "since": translator.time(letter.since, zone) if letter.since else "",
                "until": translator.time(letter.since + QUARTER, zone) if letter.since else "",
                "full": translator.listed([translator.gettext(_FULL[way]) for way in letter.full]),
                "trouble": letter.trouble,
            }
        )
    )
    subject, *paragraphs = (one_line(part) for part in said.split("\n\n") if part.strip())
    return Words(subject, tuple(paragraphs))


_FULL = {"in_person": N_("in person"), "online": N_("online")}


def _days(letter: Letter, translator: Translator) -> str:
    if letter.workshop is None or not letter.workshop.sessions:
        return ""
    return translator.days(
        each.starts_at.astimezone(ZoneInfo(each.timezone)).date() for each in letter.workshop.sessions
    )


def _action(letter: Letter, paper: Paper, translator: Translator) -> Action | None:
    _ = translator.gettext
    if letter.rule is Rule.DEAD_LETTERS or letter.workshop is None:
        return None
    if letter.rule.to_staff:
        return Action(_("See the activity"), paper.workshop_url(letter.workshop))
    if letter.rule in PARTED or letter.enrolment_id is None:
        return Action(_("See all the activities"), paper.programme_url)
    return Action(_("See or withdraw your enrolment"), paper.manage_url(letter.enrolment_id))


def _calendars(letter: Letter, paper: Paper, translator: Translator) -> list[tuple[str, bytes, str]]:
    """Write what calendars read: each with its type and the name of its file."""
    parts: list[tuple[ics.Method, Entries, str]] = [
        ("REQUEST", letter.calendar.requests, "invite.ics"),
        ("CANCEL", letter.calendar.cancels, "cancelled.ics"),
    ]
    return [
        (
            f'text/calendar; charset="utf-8"; method={method}',
            ics.calendar(method, entries, letter, paper, translator),
            file,
        )
        for method, entries, file in parts
        if entries
    ]


def _office(paper: Paper, translator: Translator) -> str:
    return one_line(translator.localised(paper.office.name))


@cache
def _sayings() -> Environment:
    """Make the environment of the words: they are plain text, which the layouts escape."""
    return _environment(SERVICE / "templates" / "mails")


@cache
def _layouts() -> Environment:
    return _environment(SERVICE / "templates")


def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
