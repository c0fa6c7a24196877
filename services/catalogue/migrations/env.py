"""What Alembic runs to bring the catalogue's database up to date."""

from services.catalogue.tables import Row
from shared.migrations import run

run(Row.metadata)
