"""The rows beside the record, read in the order and the amounts in which its events are held against them."""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from sqlalchemy import Column, Select, bindparam, func, or_, select

from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.records import DecisionRow, OutcomeRow, SessionRecord
from app.store.tables import (
    approvals,
    decisions,
    keys,
    outcomes,
    overrides,
    policy_revisions,
    sessions,
    spends,
)

_TOGETHER: Final = 64
"""Ids in one statement."""

_DECISIONS: Final = (
    select(decisions.c.seq, *columns_of(DecisionRow, decisions))
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
    for table in (decisions, outcomes)
)
_REVISIONS: Final = (
    select(policy_revisions.c.revision, policy_revisions.c.sources)
    .where(policy_revisions.c.revision > bindparam("after"))
    .order_by(policy_revisions.c.revision)
    .limit(1)
)


class Counts(NamedTuple):
    """How many rows there are of each thing that events tell one by one."""

    overrides: int
    revocations: int
    approvals: int
    spends: int


def decision_rows(connection: Connection, after: int, last: int) -> dict[int, DecisionRow]:
    """Find the rows of decisions after a place in the record, up to another, by their places."""
    found = connection.rows(_DECISIONS, after=after, last=last)
    return {seq: DecisionRow._make(row) for seq, *row in found}


def outcome_rows(connection: Connection, after: int, last: int) -> dict[int, OutcomeRow]:
    """Find the rows of outcomes after a place in the record, up to another, by their places."""
    found = connection.rows(_OUTCOMES, after=after, last=last)
    return {seq: OutcomeRow._make(row) for seq, *row in found}


def spend_rows(connection: Connection, decision_ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Find which use of which override each decision spent."""
    query = select(spends.c.decision_id, spends.c.override_id, spends.c.number)
    return {
        row[0]: (row[1], row[2]) for row in _of_ids(connection, query, spends.c.decision_id, decision_ids)
    }


def override_digests(connection: Connection, own_ids: Collection[str]) -> dict[str, str]:
    """Find the stored hashes of the tokens of overrides."""
    query = select(overrides.c.id, overrides.c.digest)
    return {row[0]: row[1] for row in _of_ids(connection, query, overrides.c.id, own_ids)}


def key_digests(connection: Connection) -> dict[str, str]:
    """Find the stored hashes of all keys."""
    return {row[0]: row[1] for row in connection.rows(select(keys.c.id, keys.c.digest))}


def session_rows(connection: Connection) -> list[tuple[str, SessionRecord]]:
    """Find all sessions that were not pruned, each behind its hash, in the order of their ids."""
    query = select(sessions.c.digest, *columns_of(SessionRecord, sessions)).order_by(sessions.c.id)
    return [(digest, SessionRecord._make(row)) for digest, *row in connection.rows(query)]


def count_rows(connection: Connection) -> Counts:
    """Count what events tell one by one."""
    revoked = select(func.count()).select_from(overrides).where(overrides.c.revoked_at.is_not(None))
    queries = (
        select(func.count()).select_from(overrides),
        revoked,
        select(func.count()).select_from(approvals),
        select(func.count()).select_from(spends),
    )
    return Counts(*((connection.row(query) or (0,))[0] for query in queries))


def miscounted(connection: Connection, most: int) -> list[str]:
    """Find overrides whose number of uses is not that of their spends."""
    return [row[0] for row in connection.rows(_MISCOUNTED, most=most)]


def beyond(connection: Connection, last: int) -> dict[str, int]:
    """Count the rows that claim places outside the record, by their tables."""
    return {name: (connection.row(query, last=last) or (0,))[0] for name, query in _BEYOND}


def next_revision(connection: Connection, after: str) -> tuple[str, str] | None:
    """Find the policy set after another, and its text; the first one after an empty name."""
    row = connection.row(_REVISIONS, after=after)
    return None if row is None else (row[0], row[1])


def _of_ids(
    connection: Connection, query: Select[tuple[str, ...]], column: Column[str], ids: Collection[str]
) -> Iterator[Row]:
    wanted = sorted(ids)
    for first in range(0, len(wanted), _TOGETHER):
        together = wanted[first : first + _TOGETHER]
        yield from connection.rows(query.where(or_(*(column == own_id for own_id in together))))
