"""Add decisions and policy revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "policy_revisions",
        sa.Column("revision", sa.String(80), primary_key=True),
        sa.Column("first_loaded_at", sa.BigInteger, nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("service", sa.String(128), nullable=False),
        sa.Column("environment", sa.String(128), nullable=False),
        sa.Column("change", sa.String(128), nullable=False),
        sa.Column("duration", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("opens_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("ref", sa.Text),
        sa.Column("actor", sa.Text),
        sa.Column("run_url", sa.Text),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column(
            "policy_revision", sa.String(80), sa.ForeignKey("policy_revisions.revision"), nullable=False
        ),
        sa.Column("tzdata_version", sa.String(32), nullable=False),
        sa.Column("holidays_version", sa.String(32), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
    has_key = sa.text("idempotency_key IS NOT NULL")
    op.create_index(
        "decisions_idempotency",
        "decisions",
        ["caller", "idempotency_key"],
        unique=True,
        sqlite_where=has_key,
        postgresql_where=has_key,
    )
