"""The whole system on one machine from wheels: PostgreSQL, a Kafka broker, front door, mails, services."""

from deploy.embedded.folder import CannotStart
from deploy.embedded.stack import Stack, keep_up

__all__ = ["CannotStart", "Stack", "keep_up"]
