"""Queries for API keys, by their hashes."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update

from app.store.columns import columns_of, names_of_text, names_to_text
from app.store.connection import Connection
from app.store.records import KeyRecord
from app.store.tables import keys

_COLUMNS: Final = select(*columns_of(KeyRecord, keys))
_BY_ID: Final = _COLUMNS.where(keys.c.id == bindparam("key_id"))
_ALL: Final = _COLUMNS.order_by(keys.c.id)
_DIGESTS: Final = select(keys.c.digest, *_COLUMNS.selected_columns)
_COUNT: Final = select(func.count()).select_from(keys)
_REVOKE: Final = (
    update(keys)
    .where(keys.c.id == bindparam("key_id"), keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


def add(connection: Connection, key: KeyRecord, digest: str) -> None:
    """Store a new key under its hash."""
    lists = {"services": names_to_text(key.services), "tags": names_to_text(key.tags)}
    connection.add(keys, {**key._asdict(), **lists, "digest": digest})


def find(connection: Connection, key_id: str) -> KeyRecord | None:
    """Return a key by id."""
    row = connection.row(_BY_ID, key_id=key_id)
    return None if row is None else _key(row)


def all_of_them(connection: Connection) -> list[KeyRecord]:
    """Return all keys, revoked ones included, oldest first."""
    return [_key(row) for row in connection.rows(_ALL)]


def by_digest(connection: Connection) -> dict[str, KeyRecord]:
    """Return all keys, revoked ones included, by hash."""
    return {digest: _key(row) for digest, *row in connection.rows(_DIGESTS)}


def count(connection: Connection) -> int:
    """Return the number of keys, revoked ones included."""
    row = connection.row(_COUNT)
    return int(row[0]) if row else 0


def revoke(connection: Connection, key_id: str, now: int) -> bool:
    """Revoke a key; return False if it is revoked already."""
    return connection.change(_REVOKE, key_id=key_id, now=now) > 0


def _key(row: Sequence[Any]) -> KeyRecord:
    key = KeyRecord._make(row)
    return key._replace(services=names_of_text(key.services), tags=names_of_text(key.tags))
