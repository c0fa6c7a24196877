"""Workshops, programmes, groups, and the bus's own tables."""

from alembic import op

from shared.messaging import tables as bus

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE workshops (
        workshop_id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, publisher text, external_id text,
        publisher_sequence bigint, state text NOT NULL, sequence integer NOT NULL,
        content jsonb NOT NULL, sessions jsonb NOT NULL, reason jsonb,
        rescheduled_at timestamptz, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
        starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, occupied tstzmultirange NOT NULL,
        modes text[] NOT NULL, words text NOT NULL,
        CONSTRAINT workshops_publisher_external_id UNIQUE (publisher, external_id),
        CONSTRAINT workshops_state CHECK (state IN ('draft', 'scheduled', 'held', 'cancelled')),
        CONSTRAINT workshops_origin CHECK ((publisher IS NULL) = (external_id IS NULL)))""",
    "CREATE INDEX workshops_order ON workshops (starts_at, workshop_id)",
    "CREATE INDEX workshops_occupied ON workshops USING gist (occupied)",
    "CREATE TABLE programmes (slug text PRIMARY KEY, title jsonb NOT NULL, summary jsonb NOT NULL)",
    """CREATE TABLE groups (
        slug text PRIMARY KEY, kind text NOT NULL, title jsonb NOT NULL, summary jsonb NOT NULL, requirement jsonb)""",
)


def upgrade() -> None:
    """Make the catalogue's first tables."""
    for statement in TABLES:
        op.execute(statement)
    bus.create_v1(op)  # type: ignore[arg-type]
