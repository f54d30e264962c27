"""Add the checkpoints: the stretches of the audit log that were pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table; nothing was pruned before."""
    op.create_table(
        "checkpoints",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("pruned_at", sa.BigInteger, nullable=False),
        sa.Column("file", sa.String(128)),
        sa.Column("digest", sa.String(64)),
        sa.Column("carried", sa.BigInteger, nullable=False),
        sa.Column("carried_digest", sa.String(64), nullable=False),
        sa.Column("cleared", sa.BigInteger, nullable=False),
    )
