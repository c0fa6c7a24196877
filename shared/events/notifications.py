"""What notifications says: what became of each notice; no address, no text."""

from uuid import UUID

from shared.events.base import Event, Language
from shared.events.topics import NOTICES


class NoticeFact(Event):
    """A notice's end; `recipient` is a person's id or `staff:<name>`, `language` null where none was chosen yet."""

    topic = NOTICES

    notice_id: UUID
    cause: str
    rule: str
    recipient: str
    channel: str
    language: Language | None = None
    reason: str | None = None


class NoticeSent(NoticeFact, type="notice.sent"):
    """SMTP accepted it; a `reason` says why that, or whether it did so once only, is uncertain."""


class NoticeFailed(NoticeFact, type="notice.failed"):
    """It was refused for good."""


class NoticeSuppressed(NoticeFact, type="notice.suppressed"):
    """It was owed and rightly not sent; `reason` says why."""
