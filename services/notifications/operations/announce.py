"""Saying on the bus what became of notices."""

from collections.abc import Iterable, Mapping
from typing import Literal

from prometheus_client import Counter

from services.notifications.repository.owing import Ended
from shared.database import Transaction
from shared.events.notifications import NoticeFailed, NoticeSent, NoticeSuppressed
from shared.messaging.envelope import Envelope

NOTICES = Counter("convoca_notices_total", "Notices that came to their end, by rule and state", ["rule", "state"])
Ending = Literal["sent", "uncertain", "failed", "suppressed"]
FACTS: Mapping[Ending, type[NoticeSent] | type[NoticeFailed] | type[NoticeSuppressed]] = {
    "sent": NoticeSent,
    "uncertain": NoticeSent,
    "failed": NoticeFailed,
    "suppressed": NoticeSuppressed,
}


def announce(tx: Transaction, state: Ending, notices: Iterable[Ended]) -> None:
    """Say of each notice that it has come to this end; a notice ends once, so this is its only event."""
    for each in notices:
        tx.emit(
            FACTS[state](
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
            cause=Envelope(each.event_id, "", "", correlation_id=each.correlation_id, traceparent=each.traceparent),
        )
        tx.after_commit(NOTICES.labels(each.rule, state).inc)
