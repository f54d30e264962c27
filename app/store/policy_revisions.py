"""Queries for the texts of policy sets that decisions were made by."""

from typing import Final

from sqlalchemy import bindparam, select

from app.store.connection import Connection
from app.store.records import PolicyRevision
from app.store.tables import policy_revisions

_SOURCES: Final = select(policy_revisions.c.sources).where(
    policy_revisions.c.revision == bindparam("revision")
)
_LIKE: Final = (
    select(policy_revisions.c.revision)
    .where(policy_revisions.c.revision.like(bindparam("pattern")))
    .order_by(policy_revisions.c.revision)
    .limit(bindparam("most"))
)


def keep(connection: Connection, revision: PolicyRevision) -> bool:
    """Store the text of a policy set once; return whether it is new."""
    if sources(connection, revision.revision) is not None:
        return False
    connection.insert(policy_revisions, PolicyRevision._fields, [revision])
    return True


def sources(connection: Connection, revision: str) -> str | None:
    """Return the text of a policy set that was in force."""
    row = connection.row(_SOURCES, revision=revision)
    return None if row is None else str(row[0])


def beginning_with(connection: Connection, start: str, most: int) -> list[str]:
    """Return the revisions that begin with these letters; `start` holds no ``%`` or ``_``."""
    return [str(row[0]) for row in connection.rows(_LIKE, pattern=f"{start}%", most=most)]
