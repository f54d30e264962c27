"""Add the person behind a key, a grant and an approval, and the latest instant of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; the latest instant is that of the events so far."""
    op.add_column("keys", sa.Column("person", sa.String(256)))
    op.add_column("overrides", sa.Column("granter", sa.String(256)))
    op.add_column("head", sa.Column("latest_at", sa.BigInteger, nullable=False, server_default="0"))
    events, head = sa.table("events", sa.column("at")), sa.table("head", sa.column("latest_at"))
    latest = sa.select(sa.func.coalesce(sa.func.max(events.c.at), 0)).scalar_subquery()
    op.get_bind().execute(sa.update(head).values(latest_at=latest))
