"""Queries for the texts of policy sets that decisions were made by."""

from typing import Final

from sqlalchemy import bindparam, select, update

from app.store.connection import Connection
from app.store.records import PolicyRevision
from app.store.tables import policy_revisions

_SOURCES: Final = select(policy_revisions.c.sources).where(
    policy_revisions.c.revision == bindparam("revision")
)
_RESTORE: Final = (
    update(policy_revisions)
    .where(policy_revisions.c.revision == bindparam("restored"))
    .values(sources=bindparam("text"))
)
_LIKE: Final = (
    select(policy_revisions.c.revision)
    .where(policy_revisions.c.revision.like(bindparam("pattern")))
    .order_by(policy_revisions.c.revision)
    .limit(bindparam("most"))
)


def keep(connection: Connection, revision: PolicyRevision) -> bool:
    """Store the text of a policy set once; return whether it is new, or was pruned."""
    row = connection.row(_SOURCES, revision=revision.revision)
    if row is None:
        connection.insert(policy_revisions, PolicyRevision._fields, [revision])
        return True
    if not row[0]:
        connection.change(_RESTORE, restored=revision.revision, text=revision.sources)
        return True
    return False


def sources(connection: Connection, revision: str) -> str | None:
    """Return the text of a policy set that was in force; None if there is none, or it was pruned."""
    row = connection.row(_SOURCES, revision=revision)
    return None if row is None or not row[0] else str(row[0])


def beginning_with(connection: Connection, start: str, most: int) -> list[str]:
    """Return the revisions that begin with these letters; `start` holds no ``%`` or ``_``."""
    return [str(row[0]) for row in connection.rows(_LIKE, pattern=f"{start}%", most=most)]
