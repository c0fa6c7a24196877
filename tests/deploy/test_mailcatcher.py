"""The mail catcher, by SMTP and HTTP."""

import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from deploy.mailcatcher.store import Store, now, unstamp
from tests.deploy.running import Catcher

INVITATION = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def mail(subject: str = "Confirmació: etapa d'habilitació") -> EmailMessage:
    """Write a mail as notifications sends it: text, HTML and a calendar entry."""
    message = EmailMessage()
    message["From"] = "office@example.org"
    message["To"] = "Núria Camps <nuria@example.org>"
    message["Subject"] = subject
    message["Message-ID"] = "<one@example.org>"
    message.set_content("Hola, Núria: 10 i 11 d'abril.\n")
    message.add_alternative("<p>Hola, <b>Núria</b></p>\n", subtype="html")
    message.add_alternative(INVITATION, subtype="calendar", params={"method": "REQUEST"})
    return message


def send(catcher: Catcher, content: EmailMessage | bytes, to: Sequence[str] = ("nuria@example.org",)) -> None:
    """Hand a mail over; returns when it was answered with 250."""
    with smtplib.SMTP("127.0.0.1", catcher.smtp, timeout=10) as smtp:
        raw = content if isinstance(content, bytes) else content.as_bytes()
        smtp.sendmail("office@example.org", to, raw)


def test_a_mail_is_listed_with_its_parts_and_a_bare_address(catcher: Catcher) -> None:
    send(catcher, mail())
    (listed,) = catcher.mails()
    assert set(listed) == {"n", "to", "subject", "message_id", "sent_at", "text", "html", "calendar"}
    assert listed["n"] == 1
    assert listed["to"] == "nuria@example.org"
    assert listed["subject"] == "Confirmació: etapa d'habilitació"
    assert listed["message_id"] == "<one@example.org>"
    assert listed["text"] == "Hola, Núria: 10 i 11 d'abril.\n"
    assert "<b>Núria</b>" in str(listed["html"])
    assert "METHOD:REQUEST" in str(listed["calendar"])
    assert abs(datetime.fromisoformat(str(listed["sent_at"])) - now()) < timedelta(minutes=1)


def test_a_mail_to_two_is_listed_once_for_each(catcher: Catcher) -> None:
    send(catcher, mail(), to=("nuria@example.org", "joan@example.org"))
    assert [(each["n"], each["to"]) for each in catcher.mails()] == [
        (1, "nuria@example.org"),
        (2, "joan@example.org"),
    ]


def test_parts_that_a_mail_lacks_are_null(catcher: Catcher) -> None:
    message = EmailMessage()
    message["Subject"] = "Plain"
    message.set_content("text only")
    send(catcher, message)
    (listed,) = catcher.mails()
    assert (listed["html"], listed["calendar"], listed["message_id"]) == (None, None, None)


def test_after_gives_only_newer_mails_oldest_first(catcher: Catcher) -> None:
    for number in range(1, 5):
        send(catcher, mail(f"Mail {number}"))
    assert [each["subject"] for each in catcher.mails(after=2)] == ["Mail 3", "Mail 4"]
    assert catcher.mails(after=4) == []


def test_a_mail_that_was_answered_for_survives_a_kill(catcher: Catcher) -> None:
    sent = mail("Before").as_bytes()
    send(catcher, sent)
    catcher.kill()
    (kept,) = catcher.folder.glob("*.eml")
    recipient, _, content = unstamp(kept.read_bytes())
    assert recipient == "nuria@example.org"
    assert content.rstrip() == sent.rstrip()
    catcher.start()
    send(catcher, mail("After"))
    assert [(each["n"], each["subject"]) for each in catcher.mails()] == [(1, "Before"), (2, "After")]


async def test_a_draft_that_a_crash_left_is_no_mail(tmp_path: Path) -> None:
    (tmp_path / "1.new").write_bytes(b"half a")
    store = Store(tmp_path)
    assert store.last == 0
    await store.keep(["nuria@example.org"], b"Subject: whole\r\n\r\n", now())
    assert store.read(1).endswith(b"Subject: whole\r\n\r\n")
    assert not (tmp_path / "1.new").exists()


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"\xff\xfe no header at all",
        b"Subject: =?utf-8?q?broken\r\nMessage-ID: <<>>\r\n\r\nbody",
        b"Content-Type: text/plain; charset=martian\r\n\r\n\xe9\xe8",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\nno such boundary",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n***",
        b"Subject: \xe9\xe8\r\nTo: \r\nContent-Type: ;;;\r\n\r\n\x00",
        b"Message-ID:\r\nContent-Disposition: =\r\n\r\n",
    ],
)
def test_a_malformed_mail_is_kept_and_shown_as_far_as_it_goes(catcher: Catcher, malformed: bytes) -> None:
    send(catcher, malformed)
    send(catcher, mail("The next"))
    first, second = catcher.mails()
    assert (first["n"], first["to"]) == (1, "nuria@example.org")
    assert second["subject"] == "The next"
    for path in ("/mailbox", "/mailbox/1", "/mailbox/1/html", "/mailbox/1/source"):
        assert fetch(catcher, path)[0] == 200, path


def test_a_mail_cannot_run_scripts_in_the_reader(catcher: Catcher) -> None:
    hostile = EmailMessage()
    hostile["Subject"] = "<script>alert(1)</script>"
    hostile.set_content("<script>alert(2)</script>", subtype="html")
    send(catcher, hostile)
    for path in ("/mailbox", "/mailbox/1"):
        status, body = fetch(catcher, path)
        assert status == 200
        assert "<script" not in body
    assert "sandbox=" in fetch(catcher, "/mailbox/1")[1]


@pytest.mark.parametrize(("language", "word"), [("ca", "Bústia"), ("es", "Buzón"), ("en", "Mailbox")])
def test_its_pages_speak_three_languages(catcher: Catcher, language: str, word: str) -> None:
    send(catcher, mail())
    for path in ("/mailbox", "/mailbox/1", "/mailbox/7"):
        answer = httpx.get(catcher.url + path, headers={"Accept-Language": language})
        assert f'<html lang="{language}">' in answer.text
        assert word in answer.text
    assert word in httpx.get(f"{catcher.url}/mailbox?lang={language}", headers={"Accept-Language": "fr"}).text


@pytest.mark.parametrize(("path", "status"), [("/mailbox/7", 404), ("/mailbox.json?after=x", 400)])
def test_what_does_not_exist_is_refused(catcher: Catcher, path: str, status: int) -> None:
    assert fetch(catcher, path)[0] == status


def fetch(catcher: Catcher, path: str) -> tuple[int, str]:
    """GET a page of the catcher."""
    answer = httpx.get(catcher.url + path)
    return answer.status_code, answer.text
