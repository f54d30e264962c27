"""Add exemptions of freezes, the reason of a lift, and the last change of a scope."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; older freezes exempt nothing and have no reason for a lift."""
    op.add_column("freezes", sa.Column("exempt", sa.Text))
    op.add_column("freezes", sa.Column("lift_reason", sa.Text))
    op.add_column("freezes", sa.Column("rescoped_at", sa.BigInteger))
