"""The texts of the policies that decisions were made by."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from app.store.engine import insert_rows
from app.store.records import PolicyRevision
from app.store.tables import policy_revisions

_ALREADY_KEPT: Final = "(revision)"


def keep(connection: Connection, revisions: Sequence[PolicyRevision]) -> None:
    """Keep texts; what is kept already stays as it is."""
    insert_rows(connection, policy_revisions, revisions, _ALREADY_KEPT)


def sources(connection: Connection, revision: str) -> str | None:
    """The text of a policy set that was in force once."""
    query = select(policy_revisions.c.sources).where(policy_revisions.c.revision == revision)
    return connection.execute(query).scalar()
