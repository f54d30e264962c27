"""Add the tags that a key is restricted to."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; older keys are restricted by services alone, if at all."""
    op.add_column("keys", sa.Column("tags", sa.Text))
