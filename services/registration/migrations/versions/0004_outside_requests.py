"""What outside systems asked for, by their own names: enrolments by the request, organisations by the system."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE enrolments ADD COLUMN request_id text",
    "CREATE INDEX enrolments_of_a_request ON enrolments (request_id) WHERE request_id IS NOT NULL",
    """ALTER TABLE organisations
        ADD COLUMN publisher text, ADD COLUMN external_id text, ADD COLUMN publisher_sequence bigint""",
    "CREATE UNIQUE INDEX organisations_outside ON organisations (publisher, external_id)",
)


def upgrade() -> None:
    """Add columns that may be empty, and the indexes by which they are found."""
    for statement in STATEMENTS:
        op.execute(statement)
