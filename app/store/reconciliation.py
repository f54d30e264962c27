"""Queries for verifying the tables against the audit log, in its order and in pages."""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from sqlalchemy import Column, Select, bindparam, func, or_, select

from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.records import DecisionRow, OutcomeRow, SessionRecord
from app.store.sessions import session_of
from app.store.tables import (
    approvals,
    decision_services,
    decisions,
    keys,
    outcomes,
    overrides,
    policy_revisions,
    sessions,
    spends,
)

_TOGETHER: Final = 64
"""Ids per statement."""

_DECISIONS: Final = (
    select(*columns_of(DecisionRow, decisions), decisions.c.seq)
    .where(decisions.c.seq > bindparam("after"), decisions.c.seq <= bindparam("last"))
    .order_by(decisions.c.seq)
)
_OUTCOMES: Final = (
    select(outcomes.c.seq, *columns_of(OutcomeRow, outcomes))
    .where(outcomes.c.seq > bindparam("after"), outcomes.c.seq <= bindparam("last"))
    .order_by(outcomes.c.seq)
)
_SPENT: Final = (
    select(func.count()).select_from(spends).where(spends.c.override_id == overrides.c.id).scalar_subquery()
)
_MISCOUNTED: Final = (
    select(overrides.c.id).where(overrides.c.uses != _SPENT).order_by(overrides.c.id).limit(bindparam("most"))
)
_BEYOND: Final = tuple(
    (
        table.name,
        select(func.count()).select_from(table).where(or_(table.c.seq > bindparam("last"), table.c.seq < 1)),
    )
    for table in (decisions, decision_services, outcomes)
)
_REVISIONS: Final = (
    select(policy_revisions.c.revision, policy_revisions.c.sources)
    .where(policy_revisions.c.revision > bindparam("after"), policy_revisions.c.sources != "")
    .order_by(policy_revisions.c.revision)
    .limit(1)
)


class Counts(NamedTuple):
    """The number of rows of each table whose rows have one event each."""

    overrides: int
    revocations: int
    approvals: int
    spends: int


def decision_rows(connection: Connection, after: int, last: int) -> dict[int, DecisionRow]:
    """Return the rows of decisions between two positions, by position."""
    return {row[-1]: DecisionRow._make(row[:-1]) for row in decision_columns(connection, after, last)}


def decision_columns(connection: Connection, after: int, last: int) -> list[Row]:
    """Return the columns of `DecisionRow` and the position of decisions between two positions."""
    return connection.rows(_DECISIONS, after=after, last=last)


def outcome_rows(connection: Connection, after: int, last: int) -> dict[int, OutcomeRow]:
    """Return the rows of outcomes between two positions, by position."""
    found = connection.rows(_OUTCOMES, after=after, last=last)
    return {seq: OutcomeRow._make(row) for seq, *row in found}


def spend_rows(connection: Connection, decision_ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return the spend of each decision."""
    query = select(spends.c.decision_id, spends.c.override_id, spends.c.number)
    return {
        row[0]: (row[1], row[2]) for row in _of_ids(connection, query, spends.c.decision_id, decision_ids)
    }


def override_digests(connection: Connection, own_ids: Collection[str]) -> dict[str, str]:
    """Return the stored token hashes of overrides."""
    query = select(overrides.c.id, overrides.c.digest)
    return {row[0]: row[1] for row in _of_ids(connection, query, overrides.c.id, own_ids)}


def key_digests(connection: Connection) -> dict[str, str]:
    """Return the stored hashes of all keys."""
    return {row[0]: row[1] for row in connection.rows(select(keys.c.id, keys.c.digest))}


def session_rows(connection: Connection) -> list[tuple[str, SessionRecord]]:
    """Return all sessions that were not pruned, each with its hash, in the order of ids."""
    query = select(sessions.c.digest, *columns_of(SessionRecord, sessions)).order_by(sessions.c.id)
    return [(digest, session_of(row)) for digest, *row in connection.rows(query)]


def count_rows(connection: Connection) -> Counts:
    """Count the rows that have one event each."""
    revoked = select(func.count()).select_from(overrides).where(overrides.c.revoked_at.is_not(None))
    queries = (
        select(func.count()).select_from(overrides),
        revoked,
        select(func.count()).select_from(approvals),
        select(func.count()).select_from(spends),
    )
    return Counts(*((connection.row(query) or (0,))[0] for query in queries))


def miscounted(connection: Connection, most: int) -> list[str]:
    """Return the overrides whose number of uses differs from their spends."""
    return [row[0] for row in connection.rows(_MISCOUNTED, most=most)]


def beyond(connection: Connection, last: int) -> dict[str, int]:
    """Count the rows with positions outside the audit log, by table."""
    return {name: (connection.row(query, last=last) or (0,))[0] for name, query in _BEYOND}


def next_revision(connection: Connection, after: str) -> tuple[str, str] | None:
    """Return the next policy set and its text; the first one after an empty revision."""
    row = connection.row(_REVISIONS, after=after)
    return None if row is None else (row[0], row[1])


def _of_ids(
    connection: Connection, query: Select[tuple[str, ...]], column: Column[str], ids: Collection[str]
) -> Iterator[Row]:
    wanted = sorted(ids)
    for first in range(0, len(wanted), _TOGETHER):
        together = wanted[first : first + _TOGETHER]
        yield from connection.rows(query.where(or_(*(column == own_id for own_id in together))))
