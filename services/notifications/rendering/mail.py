"""The writing of a mail: the words of its rule, the facts, the footer, as text and as HTML, and the calendar part.

The words of each rule are in `templates/mails/<rule>.txt`, their translations in `locale/`.
"""

from base64 import encodebytes
from binascii import b2a_qp
from dataclasses import dataclass
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import SMTP, SMTPUTF8, compat32
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifications.domain import QUARTER, Entries, Rule
from services.notifications.rendering import ics
from services.notifications.rendering.facts import PARTED, facts_of
from services.notifications.rendering.headers import mailbox, unstructured
from services.notifications.rendering.letter import Letter, Paper, ascii_address, one_line
from shared.web.i18n import N_, Catalogues, Translator

SERVICE = Path(__file__).parent.parent
TEXT_AND_HTML = 2
_PARTS = compat32.clone(linesep="\r\n", max_line_length=None)
"""The parts are of the older kind: their few headers are ours, and the newer kind folds each at great cost."""
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
        "greeting": translator.gettext("Hello, %(name)s,", name=one_line(letter.name)),
        "because": translator.gettext(BECAUSE[letter.rule.to_staff], office=_office(paper, translator)),
        "rule": letter.rule.value,
        "office": _office(paper, translator),
        "office_address": paper.office.address,
        "language": letter.language,
        "_": translator.gettext,
    }
    mark = letter.notice_id.hex  # what no text can hold: quoted-printable writes `=_` otherwise
    alternatives = MIMEMultipart("alternative", boundary=f"=_words_{mark}")
    alternatives.attach(_text(_layouts().get_template("letter.txt").render(context), "plain"))
    alternatives.attach(_text(_layouts().get_template("letter.html").render(context), "html"))
    body = MIMEMultipart("mixed", boundary=f"=_whole_{mark}")
    body.attach(alternatives)
    _attach_calendars(body, alternatives, letter, paper, translator)
    head = _head(letter, paper, translator, words.subject).as_bytes().removesuffix(b"\r\n")
    return Mail(sender, recipient, head + body.as_bytes(policy=_PARTS))


def message_id(notice_id: UUID, host: str) -> str:
    """Give the Message-ID of a notice."""
    return f"<{notice_id}@{host}>"


def _head(letter: Letter, paper: Paper, translator: Translator, subject: str) -> EmailMessage:
    office = _office(paper, translator)
    message = EmailMessage(policy=SMTP if letter.address.isascii() else SMTPUTF8)
    message["From"] = mailbox("From", office, ascii_address(paper.mail_from))
    message["To"] = mailbox("To", one_line(letter.name), ascii_address(letter.address))
    message["Reply-To"] = mailbox("Reply-To", office, ascii_address(paper.office.address))
    message["Subject"] = unstructured("Subject", subject)
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = message_id(letter.notice_id, paper.host)
    message["Content-Language"] = letter.language
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: so that no autoresponder answers
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Convoca-Rule"] = letter.rule.value
    return message


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
    return Action(_("See, change or withdraw your enrolment"), paper.manage_url(letter.enrolment_id))


def _attach_calendars(
    body: MIMEMultipart, alternatives: MIMEMultipart, letter: Letter, paper: Paper, translator: Translator
) -> None:
    """Add what calendars read: among the alternatives, where programs look, and as a file, where people do."""
    parts: list[tuple[ics.Method, Entries]] = [
        ("REQUEST", letter.calendar.requests),
        ("CANCEL", letter.calendar.cancels),
    ]
    for method, entries in parts:
        if not entries:
            continue
        written = ics.calendar(method, entries, letter, paper, translator)
        if len(alternatives.get_payload()) == TEXT_AND_HTML:
            alternatives.attach(_calendar(written, method))
        file = _calendar(written, method)
        name = "cancelled.ics" if method == "CANCEL" else "invite.ics"
        file.add_header("Content-Disposition", "attachment", filename=name)
        body.attach(file)


def _text(text: str, subtype: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(b2a_qp(text.encode()).decode())
    return part


def _calendar(calendar: bytes, method: ics.Method) -> MIMENonMultipart:
    part = MIMENonMultipart("text", "calendar", charset="utf-8", method=method)
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(encodebytes(calendar).decode())
    return part


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
        trim_blocks=True,
        lstrip_blocks=True,
    )
