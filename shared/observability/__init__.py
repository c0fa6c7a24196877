"""What can be seen from outside: logs, metrics, traces; nothing personal in any of them."""

from shared.observability.logs import configure_logs, where
from shared.observability.metrics import (
    BATCH_EVENTS,
    BATCH_SECONDS,
    DEAD_LETTERS,
    EVENTS,
    LEADING,
    REFUSED,
    RELAY_ERRORS,
    RETRIES,
    SENT,
)
from shared.observability.origin import NOWHERE, Origin, apart, origin, stemming, valid_traceparent

__all__ = [
    "BATCH_EVENTS",
    "BATCH_SECONDS",
    "DEAD_LETTERS",
    "EVENTS",
    "LEADING",
    "NOWHERE",
    "REFUSED",
    "RELAY_ERRORS",
    "RETRIES",
    "SENT",
    "Origin",
    "apart",
    "configure_logs",
    "origin",
    "stemming",
    "valid_traceparent",
    "where",
]
