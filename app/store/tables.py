"""The tables. Instants are integers: SQLite gives datetimes back without their offsets.

`events` is the record: append-only, and chained. What stands beside it are indexes into it and the
state that it led to, so that questions need not read the whole of it.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

metadata: Final = MetaData()

_SEQ: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite keeps rows in the order of a key of exactly this type, without an index beside it."""

head: Final = Table(
    "head",
    metadata,
    # One row. Whoever writes locks it first, so that events get their places one after the other.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    # Counted up at every change, so that a replica sees at one glance whether its memory is right.
    Column("freezes_version", BigInteger, nullable=False),
    Column("keys_version", BigInteger, nullable=False),
    # Of all events, in microseconds: what has expired by it stays expired when a clock goes back.
    Column("latest_at", BigInteger, nullable=False, server_default="0"),
)

events: Final = Table(
    "events",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("actor", String(256), nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

NO_DECISION: Final = "kind <> 'decision'"

# Decisions have an index of their own; what else happens is rare, and looked for by its kind.
Index(
    "events_kind",
    events.c.kind,
    events.c.seq,
    sqlite_where=text(NO_DECISION),
    postgresql_where=text(NO_DECISION),
)

policy_revisions: Final = Table(
    "policy_revisions",
    metadata,
    Column("revision", String(80), primary_key=True),
    Column("first_loaded_at", BigInteger, nullable=False),
    Column("sources", Text, nullable=False),
)

decisions: Final = Table(
    "decisions",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("service", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("caller", String(256), nullable=False),
    Column("actor", Text),
    Column("override_id", String(40)),
    Column("idempotency_key", String(128)),
    Column("fingerprint", String(64)),
    # A decision whose policies were not kept could not be evaluated again: the database refuses it.
    Column("policy_revision", String(80), ForeignKey(policy_revisions.c.revision), nullable=False),
    # The ids of what vetoed, whether or not a token lifted it; joined by commas.
    Column("blocking", Text),
    # The kind of change; the default is that of a claim which names none.
    Column("change", String(128), nullable=False, server_default="normal"),
    # Seconds that the deploy takes: with the columns above, all of the question.
    Column("duration", BigInteger, nullable=False, server_default="0"),
)

HAS_KEY: Final = "idempotency_key IS NOT NULL"

# Most claims carry no key and stay out of the index.
Index(
    "decisions_idempotency",
    decisions.c.caller,
    decisions.c.idempotency_key,
    unique=True,
    sqlite_where=text(HAS_KEY),
    postgresql_where=text(HAS_KEY),
)
Index("decisions_service", decisions.c.service, decisions.c.seq)
Index("decisions_at", decisions.c.at)

outcomes: Final = Table(
    "outcomes",
    metadata,
    # The place of its event in the record: of several reports on one deploy, the last one counts.
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("decision_id", String(40), ForeignKey(decisions.c.id), nullable=False),
    Column("result", String(16), nullable=False),
    Column("incident", Text),
    Column("reported_by", String(256), nullable=False),
    Column("reported_at", BigInteger, nullable=False),
)

Index("outcomes_decision", outcomes.c.decision_id, outcomes.c.seq)

overrides: Final = Table(
    "overrides",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("services", Text, nullable=False),
    Column("environments", Text, nullable=False),
    Column("policies", Text),
    Column("reason", Text, nullable=False),
    Column("ticket", Text),
    Column("granted_by", String(256), nullable=False),
    Column("granted_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("max_uses", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("approvals_needed", Integer, nullable=False),
    Column("revoked_by", String(256)),
    Column("revoked_at", BigInteger),
    # The person who granted it, in the form that persons are compared in.
    Column("granter", String(256)),
)

approvals: Final = Table(
    "approvals",
    metadata,
    Column("override_id", String(40), ForeignKey(overrides.c.id), nullable=False),
    Column("person", String(256), nullable=False),
    Column("by", String(256), nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("override_id", "person"),
)

spends: Final = Table(
    "spends",
    metadata,
    Column("override_id", String(40), ForeignKey(overrides.c.id), nullable=False),
    # From 1 up to what the token allows: the same use can't be spent twice.
    Column("number", Integer, nullable=False),
    Column("decision_id", String(40), nullable=False, unique=True),
    PrimaryKeyConstraint("override_id", "number"),
)

freezes: Final = Table(
    "freezes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("contact", Text),
    Column("link", Text),
    Column("selector", Text, nullable=False),
    Column("override", String(16), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("started_by", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("lifted_by", String(256)),
    Column("lifted_at", BigInteger),
    # When it was last changed or lifted.
    Column("changed_at", BigInteger),
    # JSON: selectors of the requests that it lets through; null where it has none.
    Column("exempt", Text),
    Column("lift_reason", Text),
    Column("rescoped_at", BigInteger),
)

keys: Final = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("services", Text),
    Column("created_by", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("person", String(256)),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    # A session can do what its key can, for as long as its key can.
    Column("key_id", String(40), ForeignKey(keys.c.id), nullable=False),
    Column("browser", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

Index("sessions_key", sessions.c.key_id)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("receiver", String(64), nullable=False),
    # Names what it tells of: two replicas that notice the same thing tell it once.
    Column("key", String(200), nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", BigInteger),
    Column("given_up_at", BigInteger),
    Column("last_error", Text),
)

Index("outbox_key", outbox.c.receiver, outbox.c.key, unique=True)

WAITING: Final = "sent_at IS NULL AND given_up_at IS NULL"

Index(
    "outbox_waiting",
    outbox.c.receiver,
    outbox.c.id,
    sqlite_where=text(WAITING),
    postgresql_where=text(WAITING),
)

lease: Final = Table(
    "sender",
    metadata,
    # One row: which replica sends notifications, and up to where it has looked for something to tell.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(64), nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("looked_until", BigInteger, nullable=False),
    # JSON: of each environment, whether the policies freeze it, and who was denied and waits.
    Column("environments", Text, nullable=False),
)

schema_version: Final = Table(
    "alembic_version", metadata, Column("version_num", String(32), primary_key=True)
)
