"""Let a session belong to a person that an issuer signed in, in place of a key."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_OLD = ("id", "digest", "key_id", "browser", "created_at", "expires_at", "revoked_at")
_BEFORE = "sessions_before"


def upgrade() -> None:
    """Add the columns, and let the key be null; sessions of keys stay as they are."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
        return
    op.alter_column("sessions", "key_id", existing_type=sa.String(40), nullable=True)
    for column in _new_columns():
        op.add_column("sessions", column)


def _rebuild() -> None:
    """Copy the table into a new one: SQLite can't change a column."""
    op.drop_index("sessions_key", "sessions")
    op.rename_table("sessions", _BEFORE)
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("key_id", sa.String(40), sa.ForeignKey("keys.id")),
        sa.Column("browser", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        *_new_columns(),
    )
    old = sa.table(_BEFORE, *map(sa.column, _OLD))
    new = sa.table("sessions", *map(sa.column, _OLD))
    op.get_bind().execute(sa.insert(new).from_select(_OLD, sa.select(*old.columns)))
    op.drop_table(_BEFORE)
    op.create_index("sessions_key", "sessions", ["key_id"])


def _new_columns() -> list[sa.Column[str]]:
    return [
        sa.Column("person", sa.String(256)),
        sa.Column("name", sa.String(256)),
        sa.Column("role", sa.String(16)),
        sa.Column("services", sa.Text),
        sa.Column("tags", sa.Text),
        sa.Column("issuer", sa.Text),
    ]
