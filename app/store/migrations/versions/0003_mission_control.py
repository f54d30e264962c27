"""Add outcomes of deploys, sessions of the dashboard, and the outbox of notifications.

The new columns of older rows are filled from the audit log.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TOGETHER = 1_000
_USUAL_CHANGE = "normal"
"""The default kind of change."""


def upgrade() -> None:
    """Create the tables; fill the change of older decisions and the last change of older freezes."""
    op.add_column("decisions", sa.Column("blocking", sa.Text))
    op.add_column(
        "decisions", sa.Column("change", sa.String(128), nullable=False, server_default=_USUAL_CHANGE)
    )
    op.add_column("freezes", sa.Column("changed_at", sa.BigInteger))
    op.create_index("decisions_at", "decisions", ["at"])
    _create_outcomes()
    _create_sessions()
    _create_outbox()
    connection = op.get_bind()
    _fill_decisions(connection)
    _fill_changed(connection)
    sender = sa.table("sender", *map(sa.column, _SENDER))
    connection.execute(sa.insert(sender).values(dict(zip(_SENDER, (1, "", 0, 0, 0, "{}"), strict=True))))


_SENDER = ("id", "holder", "held_until", "seq", "looked_until", "environments")


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("decision_id", sa.String(40), sa.ForeignKey("decisions.id"), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("incident", sa.Text),
        sa.Column("reported_by", sa.String(256), nullable=False),
        sa.Column("reported_at", sa.BigInteger, nullable=False),
    )
    op.create_index("outcomes_decision", "outcomes", ["decision_id", "seq"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("key_id", sa.String(40), sa.ForeignKey("keys.id"), nullable=False),
        sa.Column("browser", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("sessions_key", "sessions", ["key_id"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("receiver", sa.String(64), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("given_up_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("outbox_key", "outbox", ["receiver", "key"], unique=True)
    waiting = sa.text("sent_at IS NULL AND given_up_at IS NULL")
    op.create_index(
        "outbox_waiting", "outbox", ["receiver", "id"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "sender",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("looked_until", sa.BigInteger, nullable=False),
        sa.Column("environments", sa.Text, nullable=False),
    )


def _fill_decisions(connection: sa.Connection) -> None:
    decisions = sa.table("decisions", *map(sa.column, ("seq", "blocking", "change")))
    for event in _events(connection, "decision"):
        answer = json.loads(event.data)["answer"]
        blocking = ",".join(each["id"] for each in answer.get("blocking", ())) or None
        change = answer.get("change", _USUAL_CHANGE)
        if blocking is not None or change != _USUAL_CHANGE:
            connection.execute(
                sa.update(decisions)
                .where(decisions.c.seq == event.seq)
                .values(blocking=blocking, change=change)
            )


def _fill_changed(connection: sa.Connection) -> None:
    freezes = sa.table("freezes", sa.column("id"), sa.column("changed_at"))
    for event in _events(connection, "freeze-extended", "freeze-lifted"):
        connection.execute(
            sa.update(freezes)
            .where(freezes.c.id == json.loads(event.data)["freeze"])
            .values(changed_at=event.at // 1_000_000)
        )


def _events(connection: sa.Connection, *kinds: str) -> Iterator[sa.Row[Any, Any, Any]]:
    """Yield events of some kinds in order, holding one page at a time."""
    events = sa.table("events", *map(sa.column, ("seq", "at", "kind", "data")))
    after = 0
    while True:
        page = connection.execute(
            sa.select(events.c.seq, events.c.at, events.c.data)
            .where(events.c.kind.in_(kinds), events.c.seq > after)
            .order_by(events.c.seq)
            .limit(_TOGETHER)
        ).all()
        if not page:
            return
        yield from page
        after = page[-1].seq
