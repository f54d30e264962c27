"""Queries for the texts of policy sets that decisions were made by."""

from typing import Final

from sqlalchemy import bindparam, select

from app.store.connection import Connection
from app.store.records import PolicyRevision
from app.store.tables import policy_revisions

_SOURCES: Final = select(policy_revisions.c.sources).where(
    policy_revisions.c.revision == bindparam("revision")
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
