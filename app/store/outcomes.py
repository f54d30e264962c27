"""Queries for outcomes of deploys, and for decisions with their outcomes."""

from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, func, or_, select

from app.core.rollup import Decided
from app.store import decision_services
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.records import DecidedFilter, DeployRow, OutcomeRow
from app.store.tables import decisions, outcomes

_FIRST: Final = func.coalesce(decisions.c.continues, decisions.c.repeats, decisions.c.id)
_DEPLOY: Final = select(*columns_of(DeployRow, decisions, first=_FIRST)).where(
    decisions.c.id == bindparam("decision_id")
)
_OF_DECISION: Final = (
    select(*columns_of(OutcomeRow, outcomes))
    .where(outcomes.c.decision_id == bindparam("decision_id"))
    .order_by(outcomes.c.seq.desc())
    .limit(bindparam("most"))
)
LATEST: Final = (
    select(outcomes.c.result)
    .where(outcomes.c.decision_id == decisions.c.id)
    .order_by(outcomes.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
"""The result of the latest report on the deploy of a row of `decisions`."""

COUNTED: Final = and_(
    # A later step that was let through belongs to the deploy of the first one.
    or_(decisions.c.continues.is_(None), decisions.c.outcome == "deny"),
    decisions.c.repeats.is_(None),
)
"""Whether a row of `decisions` is counted: each deploy once."""

# In the order of the index on `at`, so that every page costs the same.
_DECIDED: Final = (
    select(decisions.c.seq, *columns_of(Decided, decisions, result=LATEST))
    .where(
        decisions.c.at >= bindparam("start"),
        decisions.c.at < bindparam("until"),
        or_(decisions.c.at > bindparam("start"), decisions.c.seq > bindparam("after")),
        COUNTED,
    )
    .order_by(decisions.c.at, decisions.c.seq)
    .limit(bindparam("most"))
)


def add(connection: Connection, seq: int, outcome: OutcomeRow) -> None:
    """Store an outcome, at the position of its event in the audit log."""
    connection.add(outcomes, {"seq": seq, **outcome._asdict()})


def deploy_of(connection: Connection, decision_id: str) -> DeployRow | None:
    """Return the deploy of a decision, as an outcome needs it."""
    row = connection.row(_DEPLOY, decision_id=decision_id)
    return None if row is None else decision_services.named(connection, decision_id, DeployRow._make(row))


def of_decision(connection: Connection, decision_id: str, most: int) -> list[OutcomeRow]:
    """Return the latest outcomes of a decision, newest last."""
    rows = connection.rows(_OF_DECISION, decision_id=decision_id, most=most)
    return [OutcomeRow._make(row) for row in reversed(rows)]


def decided(
    connection: Connection, wanted: DecidedFilter, after: tuple[int, int], most: int
) -> list[tuple[int, Decided]]:
    """Return decisions in the order of their instants, each with its position in the audit log.

    Args:
        connection: to the database.
        wanted: the decisions to return.
        after: the instant and position of the last known one.
        most: the page size.
    """
    query = filtered(_DECIDED, wanted)
    start, seq = after
    rows = connection.rows(query, start=start, after=seq, until=wanted.end, most=most)
    return decision_services.with_names(connection, [(seq, Decided._make(row)) for seq, *row in rows])


def filtered(query: Select[Any], wanted: DecidedFilter) -> Select[Any]:
    """Return a query of decisions, narrowed to a service, an environment and a kind of change."""
    if wanted.service is not None:
        query = query.where(decision_services.is_about(wanted.service))
    for column, value in (
        (decisions.c.environment, wanted.environment),
        (decisions.c.change, wanted.change),
    ):
        if value is not None:
            query = query.where(column == value)
    return query
