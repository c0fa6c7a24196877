"""Every mail in every language, word for word, as it was last read and found right.

After a change that is meant, write them anew and read what changed: `python -m tests.domain.notifications.test_golden`.
"""

import email
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from services.notifications.domain import Rule
from services.notifications.rendering.mail import Mail, write
from shared.web.i18n import LANGUAGES
from tests.domain.notifications.samples import CATALOGUES, PAPER, SAMPLES

GOLDEN = Path(__file__).parent / "golden"
HEADERS = (
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Content-Language", "Auto-Submitted", "X-Convoca-Rule",
)  # fmt: skip
EVERY = [(name, language) for name in SAMPLES for language in LANGUAGES]


def parsed(mail: Mail) -> EmailMessage:
    """Read a mail as a mail program does."""
    message = email.message_from_bytes(mail.content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def shown(mail: Mail) -> str:
    """Write down what a reader gets of a mail, part by part."""
    message = parsed(mail)
    lines = [f"{name}: {message[name]}" for name in HEADERS]
    for part in message.walk():
        if part.is_multipart():
            continue
        disposition = f" {part.get_filename()}" if part.get_filename() else ""
        lines += ["", f"===== {part['Content-Type']}{disposition}", ""]
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        lines += [line.rstrip() for line in content.decode().splitlines()] if not disposition else ["(as above)"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_each_mail_reads_as_it_was_approved(name: str, language: str) -> None:
    letter = SAMPLES[name](language)  # type: ignore[arg-type]

    mail = shown(write(letter, PAPER, CATALOGUES))

    assert mail == (GOLDEN / f"{name}.{language}.txt").read_text(encoding="utf-8")


def test_each_rule_has_its_golden_mail() -> None:
    assert {SAMPLES[name]("ca").rule for name in SAMPLES} == set(Rule)


if __name__ == "__main__":
    for sample, spoken in EVERY:
        text = shown(write(SAMPLES[sample](spoken), PAPER, CATALOGUES))
        (GOLDEN / f"{sample}.{spoken}.txt").write_text(text, encoding="utf-8")
