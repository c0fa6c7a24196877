"""What Alembic runs to bring registration's database up to date."""

from services.registration.tables import Row
from shared.migrations import run

run(Row.metadata)
