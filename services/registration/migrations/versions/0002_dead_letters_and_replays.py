"""Dead letters that staff can try again, replays of the outbox, and their pruning."""

from alembic import op

from shared.messaging import tables as bus

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the bus's second tables."""
    bus.create_v2(op)  # type: ignore[arg-type]
