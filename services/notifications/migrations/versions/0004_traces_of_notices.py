"""The trace that a notice belongs to, so that it goes on in the mail."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add where it is kept."""
    op.execute("ALTER TABLE notices ADD COLUMN traceparent text")
