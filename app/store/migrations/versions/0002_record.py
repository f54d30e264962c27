"""Add the audit log as a chain of events, overrides, freezes and keys.

Earlier decisions become the first events of the chain, in the order of their ids.
"""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from app.core.audit import GENESIS, Checkpoint, Event, chained

revision = "0002"
down_revision = "0001"

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and copy earlier decisions into the audit log."""
    connection = op.get_bind()
    old = sa.Table("decisions", sa.MetaData(), autoload_with=connection)
    recorded = list(connection.execute(sa.select(old).order_by(old.c.id)).mappings())
    op.drop_table("decisions")
    _create_record()
    _create_operations()
    _carry_over(connection, recorded)


def _create_record() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("freezes_version", sa.BigInteger, nullable=False),
        sa.Column("keys_version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    no_decision = sa.text("kind <> 'decision'")
    op.create_index(
        "events_kind", "events", ["kind", "seq"], sqlite_where=no_decision, postgresql_where=no_decision
    )
    op.create_table(
        "decisions",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("service", sa.String(128), nullable=False),
        sa.Column("environment", sa.String(128), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(256), nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("override_id", sa.String(40)),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column(
            "policy_revision", sa.String(80), sa.ForeignKey("policy_revisions.revision"), nullable=False
        ),
    )
    has_key = sa.text("idempotency_key IS NOT NULL")
    op.create_index(
        "decisions_idempotency",
        "decisions",
        ["caller", "idempotency_key"],
        unique=True,
        sqlite_where=has_key,
        postgresql_where=has_key,
    )
    op.create_index("decisions_service", "decisions", ["service", "seq"])


def _create_operations() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("services", sa.Text, nullable=False),
        sa.Column("environments", sa.Text, nullable=False),
        sa.Column("policies", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ticket", sa.Text),
        sa.Column("granted_by", sa.String(256), nullable=False),
        sa.Column("granted_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("approvals_needed", sa.Integer, nullable=False),
        sa.Column("revoked_by", sa.String(256)),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "approvals",
        sa.Column("override_id", sa.String(40), sa.ForeignKey("overrides.id"), nullable=False),
        sa.Column("person", sa.String(256), nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("override_id", "person"),
    )
    op.create_table(
        "spends",
        sa.Column("override_id", sa.String(40), sa.ForeignKey("overrides.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("decision_id", sa.String(40), nullable=False, unique=True),
        sa.PrimaryKeyConstraint("override_id", "number"),
    )
    op.create_table(
        "freezes",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("contact", sa.Text),
        sa.Column("link", sa.Text),
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("override", sa.String(16), nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger),
        sa.Column("started_by", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("lifted_by", sa.String(256)),
        sa.Column("lifted_at", sa.BigInteger),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("services", sa.Text),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )


def _carry_over(connection: sa.Connection, recorded: list[sa.RowMapping]) -> None:
    events = sa.table("events", *map(sa.column, ("seq", "at", "kind", "actor", "data", "previous", "hash")))
    decisions = sa.table("decisions", *map(sa.column, _DECISION))
    end = Checkpoint(0, GENESIS)
    links = list(chained(end, map(_event, recorded)))
    if links:
        end = Checkpoint(links[-1].seq, links[-1].hash)
        connection.execute(sa.insert(events), [link._asdict() for link in links])
        connection.execute(sa.insert(decisions), list(_rows(recorded)))
    head = sa.table("head", *map(sa.column, ("id", "seq", "hash", "freezes_version", "keys_version")))
    connection.execute(
        sa.insert(head).values(id=1, seq=end.seq, hash=end.hash, freezes_version=0, keys_version=0)
    )


_DECISION = (
    "seq", "id", "at", "service", "environment", "outcome", "caller", "actor", "override_id",
    "idempotency_key", "fingerprint", "policy_revision",
)  # fmt: skip


def _rows(recorded: list[sa.RowMapping]) -> Iterator[dict[str, object]]:
    for seq, row in enumerate(recorded, 1):
        carried = {name: row[name] for name in _DECISION if name not in ("seq", "override_id")}
        yield {"seq": seq, "override_id": None, **carried}


def _event(row: sa.RowMapping) -> Event:
    data = {
        "answer": json.loads(row["body"]),
        "at": row["at"],
        "duration": row["duration"],
        "opens_at": row["opens_at"],
        "ref": row["ref"],
        "actor": row["actor"],
        "run_url": row["run_url"],
        "request_id": row["request_id"],
        "tzdata": row["tzdata_version"],
        "holidays": row["holidays_version"],
        "freezes": [],
        "token": None,
    }
    return Event(row["recorded_at"], "decision", row["caller"], json.dumps(data))
