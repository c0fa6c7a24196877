"""The streams: which there are, what is their key's life, and who writes them."""

from dataclasses import dataclass

SERVICES = ("catalogue", "registration", "notifications")


@dataclass(frozen=True, slots=True)
class Topic:
    """A stream. `retention_days` is how long a record stays; None keeps the newest of each key for ever.

    `key` names the field of the data by whose value its records are keyed; "" where none of ours decides it.
    """

    name: str
    retention_days: int | None = None
    partitions: int = 6
    max_record_bytes: int = 1_048_576
    inbound: bool = False
    key: str = ""

    @property
    def compacted(self) -> bool:
        """Tell whether the newest record of each key is kept for ever."""
        return self.retention_days is None


YEAR = 366
WORKSHOPS = Topic("catalogue.workshops", key="workshop_id")
JOINING = Topic("catalogue.joining", key="workshop_id")
ENROLMENTS = Topic("registration.enrolments", retention_days=YEAR, key="enrolment_id")
SEATS = Topic("registration.seats", key="workshop_id")
PEOPLE = Topic("registration.people", key="person_id")
ORGANISATIONS = Topic("registration.organisations", key="organisation_id")
NOTICES = Topic("notifications.notices", retention_days=YEAR, key="notice_id")
INCIDENTS = {
    service: Topic(f"{service}.incidents", retention_days=14, partitions=1, key="service") for service in SERVICES
}
INBOUND = {service: Topic(f"inbound.{service}", retention_days=14, inbound=True) for service in SERVICES}
"""Stands for all `inbound.<service>.<publisher>`; each publisher's own is made with `inbound()`."""


def inbound(service: str, publisher: str) -> Topic:
    """Give the stream that `publisher` alone writes and `service` alone reads."""
    return Topic(f"inbound.{service}.{publisher}", retention_days=14, inbound=True)


def dead_letters(service: str) -> Topic:
    """Give the stream on which `service` lays what it could not take; it holds more than any inbound one."""
    return Topic(f"dead-letters.{service}", retention_days=14, partitions=1, max_record_bytes=2_097_152)


OWN: dict[str, tuple[Topic, ...]] = {
    "catalogue": (WORKSHOPS, JOINING, INCIDENTS["catalogue"], dead_letters("catalogue")),
    "registration": (
        ENROLMENTS, SEATS, PEOPLE, ORGANISATIONS, INCIDENTS["registration"], dead_letters("registration"),
    ),
    "notifications": (NOTICES, INCIDENTS["notifications"], dead_letters("notifications")),
}  # fmt: skip
"""What each service writes, and nobody else."""

SHUT = frozenset({JOINING, PEOPLE, *INCIDENTS.values(), *map(dead_letters, SERVICES)})
"""What only our own services and staff may read: personal data, links for those who have a seat, what went wrong."""
