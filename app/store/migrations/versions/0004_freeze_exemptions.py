"""Exemptions of freezes, the reason of a lift, and when a scope last changed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; freezes of before exempt nothing and were lifted without a reason."""
    op.add_column("freezes", sa.Column("exempt", sa.Text))
    op.add_column("freezes", sa.Column("lift_reason", sa.Text))
    op.add_column("freezes", sa.Column("rescoped_at", sa.BigInteger))
