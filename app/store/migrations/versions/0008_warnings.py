"""Add the policies that warned to decisions, so that a rule that only warns can be judged by them.

Older decisions have them in the audit log.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TOGETHER = 1_000
_NONE = '"warnings": []'
"""Most answers have no warnings, and need no parsing; a caller's text can't hold this, for its quotes are
escaped."""


def upgrade() -> None:
    """Add the column, and fill it from the events of decisions."""
    op.add_column("decisions", sa.Column("warnings", sa.Text))
    connection = op.get_bind()
    events = sa.table("events", *map(sa.column, ("seq", "kind", "data")))
    decisions = sa.table("decisions", *map(sa.column, ("seq", "warnings")))
    fill = (
        sa.update(decisions)
        .where(decisions.c.seq == sa.bindparam("place"))
        .values(warnings=sa.bindparam("ids"))
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
        found = [{"place": seq, "ids": ids} for seq, data in page if (ids := _warnings(data)) is not None]
        if found:
            connection.execute(fill, found)
        after = page[-1].seq


def _warnings(data: str) -> str | None:
    """Return the ids of the policies that warned, joined by commas; None without any."""
    if _NONE in data:
        return None
    answer = json.loads(data).get("answer", {})
    return ",".join(each["id"] for each in answer.get("warnings", ())) or None
