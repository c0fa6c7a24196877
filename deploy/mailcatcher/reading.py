"""Mails as people and tests read them; one that is malformed is shown as far as it can be understood."""

from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from typing import TypeVar

from deploy.mailcatcher.store import Store, unstamp

T = TypeVar("T")
REMEMBERED = 2_000
"""Mails that are kept parsed."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient, `n` in the order of arrival."""

    n: int
    to: str
    subject: str
    message_id: str | None
    sent_at: str
    text: str | None
    html: str | None
    calendar: str | None


class Mailbox:
    """The mails of a store, parsed when they are asked for."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self.store = store
        self.mail = lru_cache(REMEMBERED)(self._mail)

    def _mail(self, number: int) -> Mail:
        """Give a mail by its number; raises KeyError where there is none."""
        recipient, at, content = unstamp(self.store.read(number))
        message = message_from_bytes(content, policy=policy.default)
        parts = {kind: _part(message, kind) for kind in ("text/plain", "text/html", "text/calendar")}
        return Mail(
            n=number,
            to=recipient,
            subject=_header(message, "subject") or "",
            message_id=_header(message, "message-id"),
            sent_at=at.isoformat(),
            text=parts["text/plain"],
            html=parts["text/html"],
            calendar=parts["text/calendar"],
        )


def _header(message: EmailMessage, name: str) -> str | None:
    # The parser of structured headers raises errors of many kinds; then the text is shown as it came.
    value = _attempt(lambda: message.get(name))
    if value is None:
        raw = [text for known, text in message.raw_items() if known.lower() == name]
        value = raw[0] if raw else None
    if value is None:
        return None
    return _legible(" ".join(str(value).split()))


def _part(message: EmailMessage, kind: str) -> str | None:
    """Give the first part of a kind that is no attachment (a calendar may be one)."""
    parts = _attempt(lambda: list(message.walk())) or [message]
    for part in parts:
        attached = _attempt(part.get_content_disposition) == "attachment"
        if part.get_content_type() == kind and (not attached or kind == "text/calendar"):
            return _content(part)
    return None


def _content(part: EmailMessage) -> str:
    content = _attempt(part.get_content)
    if isinstance(content, str):
        return _legible(content)
    raw = _attempt(lambda: part.get_payload(decode=True))
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    return _legible(str(part.get_payload()))


def _legible(text: str) -> str:
    """Replace what stands for undecodable bytes, which no JSON holds."""
    return text.encode("utf-8", "replace").decode()


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Exception:  # noqa: BLE001 - whatever a stranger's mail makes the parser raise, the mail is shown
        return None
