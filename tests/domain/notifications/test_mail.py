"""What holds of every mail, whatever others have written into names, titles and addresses."""

import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.policy import compat32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from services.notifications.domain import Rule, invite
from services.notifications.rendering.letter import Letter, Unaddressable, ascii_address, calendar_entries, one_line
from services.notifications.rendering.mail import write
from services.notifications.rendering.mime import mailbox, unstructured
from shared.events.catalogue import Place
from tests.domain.notifications.samples import CATALOGUES, MODULE, PAPER, SAMPLES, confirmed, letter, outside_workshop
from tests.domain.notifications.test_golden import parsed

NASTY = st.text(max_size=120) | st.text(alphabet='\r\n\t\x00\x1b :@<>"\\=?,;aé€\u2028\u202e', max_size=120)
MAILS = settings(max_examples=60)
HEADERS = {
    "from", "to", "reply-to", "subject", "date", "message-id", "content-language", "auto-submitted",
    "x-auto-response-suppress", "x-convoca-rule", "content-type", "mime-version",
}  # fmt: skip


def names_of(content: bytes) -> list[str]:
    """List the names of a mail's headers as a server sees them, line by line."""
    head = content.partition(b"\r\n\r\n")[0].decode()
    return [line.partition(":")[0].lower() for line in head.split("\r\n") if not line.startswith((" ", "\t"))]


@MAILS
@given(name=NASTY, title=NASTY, publisher=NASTY)
def test_no_name_or_title_adds_a_header_or_ends_the_head(name: str, title: str, publisher: str) -> None:
    workshop = MODULE.model_copy(update={"title": {"en": title}, "publisher": publisher})
    for plain in (confirmed("en"), outside_workshop("en")):
        mail = write(replace(plain, name=name, workshop=workshop), PAPER, CATALOGUES)

        names = names_of(mail.content)
        assert sorted(names) == sorted(HEADERS)
        assert mail.content.isascii()
        assert all(len(line) <= 998 for line in mail.content.split(b"\r\n"))
        recipients = parsed(mail)["To"].addresses
        assert [each.addr_spec for each in recipients] == [plain.address]


@MAILS
@given(NASTY)
@example("é@a")
def test_an_address_is_one_address_or_none_at_all(address: str) -> None:
    try:
        mail = write(replace(confirmed("ca"), address=address), PAPER, CATALOGUES)
    except Unaddressable:
        return
    assert names_of(mail.content).count("to") == 1
    assert not set(mail.recipient) & set(" \r\n<>,")


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: c@d", "a b@example.org", "<a@example.org>", "a@b@c", "a,b@c", "\x80@a", "", "a"]
)
def test_what_is_no_address_is_not_written_to(address: str) -> None:
    with pytest.raises(Unaddressable):
        ascii_address(address)


def test_a_domain_is_written_as_the_dns_has_it() -> None:
    assert ascii_address("nuria@münchen.de") == "nuria@xn--mnchen-3ya.de"


@MAILS
@given(st.text(max_size=200).map(one_line))
def test_a_subject_arrives_as_it_was_written(text: str) -> None:
    folded = unstructured("Subject", text)
    message = BytesParser(policy=compat32).parsebytes(folded + b"\r\n")

    assert str(make_header(decode_header(message["Subject"]))).split() == text.split()


@MAILS
@given(st.text(min_size=1, max_size=120).map(one_line).filter(bool))
def test_a_name_arrives_as_it_was_written(name: str) -> None:
    mail = write(replace(confirmed("ca"), name=name), PAPER, CATALOGUES)

    # As RFC 2047 has it (6.2); the newer parser of `email` leaves a blank between two encoded words.
    written = BytesParser(policy=compat32).parsebytes(mail.content)["To"]
    display = str(make_header(decode_header(written))).rpartition("<")[0].strip()
    if "=?" not in written:  # a quoted string (RFC 5322, 3.2.4): its marks are no part of the name
        display = re.sub(r"\\(.)", r"\1", display.removeprefix('"').removesuffix('"'))
    assert display.split() == name.split()


@pytest.mark.parametrize("text", ["a\nb", "a\r\nBcc: c"])
def test_a_header_of_two_lines_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        unstructured("Subject", text)
    with pytest.raises(ValueError, match="one line"):
        mailbox("To", text, "a@example.org")


@MAILS
@given(title=NASTY, name=NASTY, place=NASTY)
def test_a_calendar_reads_back_whatever_is_written_in_it(title: str, name: str, place: str) -> None:
    where = Place.model_construct(name=place, city=None, country=None, address=None)
    sessions = tuple(each.model_copy(update={"place": where}) for each in MODULE.sessions)
    workshop = MODULE.model_copy(update={"title": {"en": title}, "sessions": sessions})
    entries = invite({}, calendar_entries(workshop, "in_person"))
    mail = write(replace(confirmed("en"), name=name, workshop=workshop, calendar=entries), PAPER, CATALOGUES)

    read = calendar_of(mail.content)

    events = read.walk("VEVENT")
    assert [str(event["UID"])[:-12].rpartition("-")[2] for event in events] == ["1", "2"]
    assert {str(event["SUMMARY"]) for event in events} == {one_line(title)}
    assert [str(event.get("LOCATION", "")) for event in events] == [one_line(place)] * 2
    assert len(read.walk("VALARM")) == 0


def calendar_of(content: bytes) -> Calendar:
    """Read the calendar among a mail's alternatives."""
    for part in BytesParser(policy=compat32).parsebytes(content).walk():
        if part.get_content_type() == "text/calendar":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            read = Calendar.from_ical(payload)
            assert isinstance(read, Calendar)
            return read
    raise AssertionError


def test_a_calendar_is_in_the_time_zone_of_its_sessions_and_brings_that_zone() -> None:
    read = calendar_of(write(confirmed("ca"), PAPER, CATALOGUES).content)

    first = read.walk("VEVENT")[0]
    assert first.decoded("DTSTART").isoformat() == "2027-04-10T09:00:00+02:00"
    assert first["DTSTART"].params["TZID"] == "Europe/Copenhagen"
    assert [str(zone["TZID"]) for zone in read.walk("VTIMEZONE")] == ["Europe/Copenhagen"]
    assert "mailto:o.europa.eint@diba.cat" in str(first["ORGANIZER"])
    assert first["ATTENDEE"].params["CN"] == "Núria Camps"


def test_a_session_that_fell_away_is_called_off_beside_the_new_dates() -> None:
    known = invite({}, calendar_entries(MODULE, "in_person")).known
    shorter = MODULE.model_copy(update={"sessions": MODULE.sessions[:1]})
    change = invite(known, calendar_entries(shorter, "in_person"))
    plain = replace(letter(Rule.RESCHEDULED, "ca", shorter), enrolment_state="confirmed", calendar=change)

    message = parsed(write(plain, PAPER, CATALOGUES))

    attached = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert set(attached) == {"invite.ics", "cancelled.ics"}
    payload = attached["cancelled.ics"].get_payload(decode=True)
    assert isinstance(payload, bytes)
    read = Calendar.from_ical(payload)
    assert str(read["METHOD"]) == "CANCEL"
    assert [str(event["UID"]) for event in read.walk("VEVENT")] == [f"{plain.enrolment_id}-2@example.cat"]


@pytest.mark.parametrize("name", SAMPLES)
def test_each_mail_says_in_its_recipients_language_what_rule_sent_it_and_why(name: str) -> None:
    because = {"ca": "Rebeu aquest missatge perquè", "es": "Recibe este mensaje porque", "en": "You receive this"}
    for language, reason in because.items():
        plain: Letter = SAMPLES[name](language)  # type: ignore[arg-type]
        message = parsed(write(plain, PAPER, CATALOGUES))

        for part in message.walk():
            if part.get_content_type() in {"text/plain", "text/html"}:
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                assert reason in " ".join(content.decode().split())
                assert plain.rule.value in content.decode()
        assert message["Content-Language"] == language


def test_the_same_notice_gives_the_same_bytes() -> None:
    assert write(confirmed("ca"), PAPER, CATALOGUES) == write(confirmed("ca"), PAPER, CATALOGUES)
