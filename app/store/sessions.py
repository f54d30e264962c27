"""Queries for sessions of the dashboard, by the hashes of their secrets."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, false, or_, select, update

from app.store.columns import columns_of, names_of_text, names_to_text
from app.store.connection import Connection
from app.store.records import SessionOwner, SessionRecord
from app.store.tables import sessions

_COLUMNS: Final = select(*columns_of(SessionRecord, sessions))
_BY_ID: Final = _COLUMNS.where(sessions.c.id == bindparam("session_id"))
_BY_DIGEST: Final = _COLUMNS.where(sessions.c.digest == bindparam("digest"))
_PRUNE: Final = delete(sessions).where(sessions.c.expires_at < bindparam("before"))
_REVOKE: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


def add(connection: Connection, session: SessionRecord, digest: str) -> None:
    """Store a new session under the hash of its secret."""
    lists = {"services": names_to_text(session.services), "tags": names_to_text(session.tags)}
    connection.add(sessions, {**session._asdict(), **lists, "digest": digest})


def find(connection: Connection, session_id: str) -> SessionRecord | None:
    """Return a session by id."""
    row = connection.row(_BY_ID, session_id=session_id)
    return None if row is None else session_of(row)


def of_digest(connection: Connection, digest: str) -> SessionRecord | None:
    """Return the session of a secret, by the secret's hash."""
    row = connection.row(_BY_DIGEST, digest=digest)
    return None if row is None else session_of(row)


def still_open(
    connection: Connection, now: int, owner: SessionOwner | None, most: int
) -> list[SessionRecord]:
    """Return the open sessions, newest first; of an owner, or all."""
    query = _COLUMNS.where(sessions.c.revoked_at.is_(None), sessions.c.expires_at > now)
    if owner is not None:
        own = [sessions.c.key_id == key_id for key_id in owner.key_ids]
        if owner.person is not None:
            own.append(sessions.c.person == owner.person)
        query = query.where(or_(false(), *own))
    found = connection.rows(query.order_by(sessions.c.id.desc()).limit(most))
    return [session_of(row) for row in found]


def prune(connection: Connection, before: int) -> int:
    """Delete the sessions that expired before an instant; their events stay."""
    return connection.change(_PRUNE, before=before)


def revoke(connection: Connection, session_id: str, now: int) -> bool:
    """Revoke a session; return False if it is revoked already."""
    return connection.change(_REVOKE, session_id=session_id, now=now) > 0


def session_of(row: Sequence[Any]) -> SessionRecord:
    """Return the record of a row."""
    session = SessionRecord._make(row)
    return session._replace(services=names_of_text(session.services), tags=names_of_text(session.tags))
