"""Add the deploys of decisions: a claim that is repeated by a poller counts once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns; each older decision counts."""
    op.add_column("decisions", sa.Column("deploy", sa.String(64)))
    op.add_column("decisions", sa.Column("repeats", sa.String(40)))
    first = sa.text("deploy IS NOT NULL AND repeats IS NULL")
    op.create_index("decisions_deploy", "decisions", ["deploy"], sqlite_where=first)
