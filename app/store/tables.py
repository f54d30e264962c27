"""The tables. Instants are integers: SQLite gives datetimes back without their offsets."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

metadata: Final = MetaData()

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
    Column("id", String(40), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("service", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("change", String(128), nullable=False),
    Column("duration", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("opens_at", BigInteger),
    Column("body", Text, nullable=False),
    Column("ref", Text),
    Column("actor", Text),
    Column("run_url", Text),
    Column("caller", String(128), nullable=False),
    Column("idempotency_key", String(128)),
    Column("fingerprint", String(64)),
    # A decision whose policies were not kept could not be evaluated again: the database refuses it.
    Column("policy_revision", String(80), ForeignKey(policy_revisions.c.revision), nullable=False),
    Column("tzdata_version", String(32), nullable=False),
    Column("holidays_version", String(32), nullable=False),
    Column("request_id", String(64), nullable=False),
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

schema_version: Final = Table(
    "alembic_version", metadata, Column("version_num", String(32), primary_key=True)
)
