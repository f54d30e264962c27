"""Add the duration of a deploy, so that decisions are replayed without reading their events.

Older decisions have it in the audit log.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TOGETHER = 1_000


def upgrade() -> None:
    """Add the column, and fill it from the events of decisions."""
    op.add_column("decisions", sa.Column("duration", sa.BigInteger, nullable=False, server_default="0"))
    connection = op.get_bind()
    events = sa.table("events", *map(sa.column, ("seq", "kind", "data")))
    decisions = sa.table("decisions", *map(sa.column, ("seq", "duration")))
    fill = (
        sa.update(decisions)
        .where(decisions.c.seq == sa.bindparam("place"))
        .values(duration=sa.bindparam("seconds"))
    )
    after = 0
    while True:
        page = connection.execute(
            sa.select(events.c.seq, events.c.data)
            .where(events.c.kind == "decision", events.c.seq > after)
            .order_by(events.c.seq)
            .limit(_TOGETHER)
        ).all()
        if not page:
            return
        found = [{"place": seq, "seconds": _duration(data)} for seq, data in page]
        if known := [each for each in found if each["seconds"]]:
            connection.execute(fill, known)
        after = page[-1].seq


def _duration(data: str) -> int:
    """Return the duration of a decision; the first version stored it beside the answer."""
    told = json.loads(data)
    return int(told.get("answer", {}).get("duration_s") or told.get("duration") or 0)
