"""Add the services of decisions on several; older decisions are about one each."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "decision_services",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("service", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["decisions.seq"]),
        sa.PrimaryKeyConstraint("seq", "service"),
    )
    op.create_index("decision_services_service", "decision_services", ["service", "seq"])
