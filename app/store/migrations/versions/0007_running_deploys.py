"""Add running deploys to freezes and decisions, and the start and the ref of a token."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; older freezes stop running deploys, older decisions continue none."""
    op.add_column("freezes", sa.Column("running", sa.String(16), nullable=False, server_default="stop"))
    op.add_column("decisions", sa.Column("continues", sa.String(40)))
    op.add_column("overrides", sa.Column("starts_at", sa.BigInteger))
    op.add_column("overrides", sa.Column("ref", sa.Text))
