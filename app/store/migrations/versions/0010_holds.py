"""Add holds, incidents, the ids of deliveries, leases, and what projections created."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("id", sa.String(256), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", "id"),
    )
    op.create_index("deliveries_received", "deliveries", ["received_at"])
    op.create_table(
        "holds",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("responder", sa.String(64), nullable=False),
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("service", sa.String(128), nullable=False),
        sa.Column("environment", sa.String(128), nullable=False),
        sa.Column("ref", sa.Text),
        sa.Column("actor", sa.Text),
        sa.Column("run_url", sa.Text),
        sa.Column("requested_by", sa.String(256), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("opens_at", sa.BigInteger),
        sa.Column("decision_id", sa.String(40)),
        sa.Column("reports", sa.Integer, nullable=False),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("released_at", sa.BigInteger),
        sa.Column("key_id", sa.String(40)),
        sa.Column("cancelled_by", sa.String(256)),
        sa.Column("cancel_reason", sa.Text),
    )
    op.create_index("holds_key", "holds", ["responder", "key"])
    op.create_index("holds_changed", "holds", ["changed_at"])
    op.create_index("holds_released", "holds", ["environment", "released_at"])
    unfinished = sa.text("state IN ('waiting', 'released')")
    op.create_index(
        "holds_unfinished_key",
        "holds",
        ["responder", "key"],
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index(
        "holds_unfinished",
        "holds",
        ["environment", "id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_table(
        "incidents",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("freeze_id", sa.String(40), nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("life", sa.BigInteger, nullable=False),
        sa.Column("thaw_after", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sa.Column("reported_at", sa.BigInteger, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("source", "key", "rule"),
    )
    op.create_table(
        "projections",
        sa.Column("target", sa.String(32), nullable=False),
        sa.Column("place", sa.String(256), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("target", "place"),
    )
    op.create_index("incidents_told", "incidents", ["told_at"])
