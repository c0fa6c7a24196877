"""Workshops as registration knows them, seats, people, organisations, enrolments, and the bus."""

from alembic import op

from shared.messaging.tables import create_v1

revision = "0001"
down_revision = None

STATEMENTS = (
    """CREATE TABLE workshops (
        workshop_id uuid PRIMARY KEY, sequence bigint NOT NULL, slug text NOT NULL, state text NOT NULL,
        publisher text, external_id text, opens_at timestamptz, closes_at timestamptz, starts_at timestamptz,
        approval text NOT NULL, external_url text, per_organisation integer, data jsonb NOT NULL)""",
    "CREATE INDEX workshops_outside ON workshops (publisher, external_id)",
    "CREATE INDEX workshops_slug ON workshops (slug)",
    "CREATE TABLE joining (workshop_id uuid PRIMARY KEY, sequence bigint NOT NULL, links jsonb NOT NULL)",
    """CREATE TABLE seats (
        workshop_id uuid NOT NULL REFERENCES workshops ON DELETE CASCADE, attendance text NOT NULL,
        on_offer boolean NOT NULL, capacity integer, ceiling integer,
        confirmed integer NOT NULL DEFAULT 0, offered integer NOT NULL DEFAULT 0,
        waitlisted integer NOT NULL DEFAULT 0, sequence bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (workshop_id, attendance),
        CONSTRAINT seats_never_oversold CHECK (ceiling IS NULL OR confirmed + offered <= ceiling),
        CONSTRAINT seats_counts CHECK (confirmed >= 0 AND offered >= 0 AND waitlisted >= 0))""",
    """CREATE TABLE organisations (
        organisation_id uuid PRIMARY KEY, identity text NOT NULL UNIQUE, name text NOT NULL, kind text NOT NULL,
        country text, population integer, sequence bigint NOT NULL, registered_at timestamptz NOT NULL)""",
    """CREATE TABLE people (
        person_id uuid PRIMARY KEY, identity text NOT NULL UNIQUE, email text NOT NULL, name text NOT NULL,
        language text NOT NULL, organisation_id uuid REFERENCES organisations, sequence bigint NOT NULL,
        registered_at timestamptz NOT NULL)""",
    "CREATE SEQUENCE enrolment_number",
    """CREATE TABLE enrolments (
        enrolment_id uuid PRIMARY KEY, workshop_id uuid NOT NULL REFERENCES workshops,
        person_id uuid NOT NULL REFERENCES people, organisation_id uuid REFERENCES organisations,
        attendance text NOT NULL, state text NOT NULL, number bigint NOT NULL DEFAULT nextval('enrolment_number'),
        sequence bigint NOT NULL, reason text, by text NOT NULL, accepted_at timestamptz NOT NULL,
        requested_at timestamptz, updated_at timestamptz NOT NULL, privacy_version text NOT NULL,
        commitment_accepted boolean NOT NULL, groups text[] NOT NULL)""",
    """CREATE UNIQUE INDEX enrolments_one_live ON enrolments (workshop_id, person_id)
        WHERE state IN ('pending_approval', 'confirmed', 'waitlisted', 'offered')""",
    """CREATE INDEX enrolments_queue ON enrolments (workshop_id, attendance, number) WHERE state = 'waitlisted'""",
    "CREATE INDEX enrolments_of_a_workshop ON enrolments (workshop_id, number)",
    "CREATE INDEX enrolments_of_a_person ON enrolments (person_id, workshop_id)",
    """CREATE TABLE steps (
        enrolment_id uuid NOT NULL REFERENCES enrolments ON DELETE CASCADE, sequence bigint NOT NULL,
        at timestamptz NOT NULL, before text, after text NOT NULL, by text NOT NULL, reason text,
        PRIMARY KEY (enrolment_id, sequence))""",
    """CREATE TABLE idempotency_keys (
        key text PRIMARY KEY, body_hash bytea NOT NULL, answer jsonb, created_at timestamptz NOT NULL)""",
    "CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at)",
)


def upgrade() -> None:
    """Make every table."""
    for statement in STATEMENTS:
        op.execute(statement)
    create_v1(op)  # type: ignore[arg-type]
