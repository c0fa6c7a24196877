"""What is looked at, and what is found: each thing with what is wrong and what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

from services.notifications.settings import SmtpServer
from shared.settings import KafkaSettings

ADMINISTRATOR = "give this command the broker's administrator"
"""What to do where the broker does not let this command's user look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of one thing; `do` is what to do where it is not `ok`."""

    check: str
    about: str
    ok: bool
    says: str
    do: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What still counts as well."""

    postgres: int = 18
    """The oldest major version: what all is tested on."""
    skew: timedelta = timedelta(seconds=2)
    waits_to_be_sent: timedelta = timedelta(minutes=1)
    waits_to_be_taken: timedelta = timedelta(minutes=1)
    parked: timedelta = timedelta(minutes=15)
    overdue: timedelta = timedelta(minutes=10)
    failing: float = 0.05
    """Of the notices that ended within a day, so many may be failed or uncertain, or `a_few`."""
    a_few: int = 2
    certificate: timedelta = timedelta(days=14)
    free: float = 0.1
    """Of the disk."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A deployment that is looked at; what is None is not known here, and is not looked at."""

    databases: Mapping[str, str]
    kafka: KafkaSettings | None
    users: Mapping[str, str]
    """As whom each service works on a broker that asks."""
    public_url: str | None
    ready: Mapping[str, str]
    """Where each service says whether it is ready."""
    smtp: SmtpServer | None
    folder: Path | None = None
    """Of the embedded stack, for its disk."""
    missing: tuple[str, ...] = ()
    """Settings that this command would need."""
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tls: SSLContext | None = None
    """What certificates are believed by; the system's own authorities where it is None."""


def well(check: str, about: str, says: str) -> Finding:
    """Find nothing wrong."""
    return Finding(check, about, ok=True, says=says)


def ill(check: str, about: str, says: str, do: str) -> Finding:
    """Find something wrong."""
    return Finding(check, about, ok=False, says=says, do=do)


def lasting(span: timedelta) -> str:
    """Say how long something lasts, roughly."""
    seconds = int(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
