"""Saying on the bus what became of notices."""

from collections.abc import Iterable

from services.notifications.repository.owing import Ended
from shared.database import Transaction
from shared.events.notifications import NoticeFailed, NoticeSent, NoticeSuppressed
from shared.messaging.envelope import Envelope

Fact = type[NoticeSent] | type[NoticeFailed] | type[NoticeSuppressed]


def announce(tx: Transaction, fact: Fact, notices: Iterable[Ended]) -> None:
    """Say of each notice that it has come to this end; a notice ends once, so this is its only event."""
    for each in notices:
        tx.emit(
            fact(
                notice_id=each.notice_id,
                cause=each.event_id,
                rule=each.rule,
                recipient=each.recipient,
                channel="email",
                language=each.language,
                reason=each.reason,
            ),
            key=each.notice_id,
            sequence=1,
            cause=Envelope(id=each.event_id, source="", type="", correlation_id=each.correlation_id),
        )
