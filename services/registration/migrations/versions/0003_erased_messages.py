"""Finding what a tombstone has erased."""

from alembic import op

from shared.messaging import tables as bus

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the bus's third index of the outbox."""
    bus.create_v3(op)  # type: ignore[arg-type]
