"""Alembic's way in to this service's migrations."""

from services.notifications.tables import Row
from shared.migrations import run

run(Row.metadata)
