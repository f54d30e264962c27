"""Queries for decisions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    bindparam,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    union_all,
)

from app.core.continuation import EarlierStep
from app.core.decision import Outcome
from app.store import decision_services, passages, tables
from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.records import DecisionFilter, DecisionRow, StoredDecision
from app.store.tables import FIRST_OF_DEPLOY, decisions, events, overrides

_Query = Select[tuple[int]]

_COLUMNS: Final = columns_of(StoredDecision, events, recorded_at=events.c.at, caller=events.c.actor)
_STORED: Final = select(*_COLUMNS).join(decisions, decisions.c.seq == events.c.seq)
_BY_ID: Final = _STORED.where(decisions.c.id == bindparam("decision_id"))
_BY_KEY: Final = (
    select(decisions.c.fingerprint, events.c.data)
    .join(events, decisions.c.seq == events.c.seq)
    .where(decisions.c.caller == bindparam("caller"), decisions.c.idempotency_key == bindparam("key"))
)
_FIRST: Final = decisions.alias("first")
_USED: Final = or_(overrides.c.id == decisions.c.override_id, overrides.c.id == _FIRST.c.override_id)
_REVOKED: Final = select(func.min(overrides.c.revoked_at)).where(_USED).scalar_subquery()
_BOUND_TO: Final = select(func.min(overrides.c.ref)).where(_USED).scalar_subquery()
_STEP: Final = (
    select(
        *columns_of(
            EarlierStep,
            decisions,
            first=_FIRST.c.id,
            first_at=_FIRST.c.at,
            first_duration=_FIRST.c.duration,
            revoked_at=_REVOKED,
            ref=_BOUND_TO,
        )
    )
    .join(_FIRST, _FIRST.c.id == func.coalesce(decisions.c.continues, decisions.c.id))
    .where(decisions.c.id == bindparam("decision_id"))
)
_COUNT: Final = select(func.count()).select_from(decisions)
_OF_DEPLOY: Final = select(decisions.c.id).where(
    text(FIRST_OF_DEPLOY), decisions.c.deploy == bindparam("of_deploy")
)
_DENIAL_OF_DEPLOY: Final = _OF_DEPLOY.where(decisions.c.outcome == Outcome.DENY.value)
_ALLOW_OF_DEPLOY: Final = _OF_DEPLOY.where(decisions.c.outcome != Outcome.DENY.value)


def add(connection: Connection, rows: Sequence[tuple[int, DecisionRow]]) -> None:
    """Store the rows of decisions, each with the position of its event in the audit log."""
    connection.insert(decisions, ("seq", *DecisionRow._fields), [(seq, *row) for seq, row in rows])


def find(connection: Connection, decision_id: str) -> StoredDecision | None:
    """Return a decision by id."""
    return next(iter(_stored(connection, connection.rows(_BY_ID, decision_id=decision_id))), None)


def step(connection: Connection, decision_id: str) -> EarlierStep | None:
    """Return a decision as a later step of its deploy needs it."""
    row = connection.row(_STEP, decision_id=decision_id)
    return None if row is None else decision_services.named(connection, decision_id, EarlierStep._make(row))


def of_key(connection: Connection, caller: str, key: str) -> tuple[str, str] | None:
    """Return the fingerprint and the data of the decision under a caller's idempotency key."""
    row = connection.row(_BY_KEY, caller=caller, key=key)
    return None if row is None else (row[0], *passages.whole(connection, [row[1]]))


def first_of_deploy(connection: Connection, deploy: str, *, denied: bool) -> str | None:
    """Return the first claim of a deploy that was denied, or that was allowed; None if there is none."""
    row = connection.row(_DENIAL_OF_DEPLOY if denied else _ALLOW_OF_DEPLOY, of_deploy=deploy)
    return None if row is None else str(row[0])


def newest(
    connection: Connection, wanted: DecisionFilter, before: int | None, most: int, least: int = 0
) -> list[StoredDecision]:
    """Return decisions, newest first; before a position in the audit log, and not before `least`."""
    places = _newest_places(wanted, before, most, least)
    if wanted.service is not None:
        # Each by its own index: one condition for both would read every decision.
        alone, joint = (each.subquery() for each in (places, _newest_joint(wanted, before, most, least)))
        both = union_all(select(alone.c.seq), select(joint.c.seq)).subquery()
        places = select(both.c.seq).order_by(both.c.seq.desc()).limit(most)
    # Positions first, then events: a database that joins before it limits reads half the audit log.
    page = places.subquery()
    query = select(*_COLUMNS).join(page, page.c.seq == events.c.seq).order_by(events.c.seq.desc())
    return _stored(connection, connection.rows(query))


def _stored(connection: Connection, rows: Iterable[Row]) -> list[StoredDecision]:
    return passages.with_whole_data(connection, map(StoredDecision._make, rows))


def _newest_places(wanted: DecisionFilter, before: int | None, most: int, least: int) -> _Query:
    places = _filtered(select(decisions.c.seq), wanted)
    return _bounded(places, decisions.c.seq, before, most, least)


def _newest_joint(wanted: DecisionFilter, before: int | None, most: int, least: int) -> _Query:
    """Select the places of the decisions on several services, the wanted one among them."""
    of_several = tables.decision_services
    places = _filtered(select(of_several.c.seq), wanted._replace(service=None))
    places = places.join(decisions, decisions.c.seq == of_several.c.seq)
    places = places.where(of_several.c.service == wanted.service)
    return _bounded(places, of_several.c.seq, before, most, least)


def _bounded(places: _Query, seq: Column[int], before: int | None, most: int, least: int) -> _Query:
    if before is not None:
        places = places.where(seq < before)
    if least:
        places = places.where(seq >= least)
    return places.order_by(seq.desc()).limit(most)


def count(connection: Connection) -> int:
    """Return the number of decisions that match; reads all of them."""
    row = connection.row(_COUNT)
    return int(row[0]) if row else 0


def _filtered(query: _Query, wanted: DecisionFilter) -> _Query:
    for column, value in (
        (decisions.c.service, wanted.service),
        (decisions.c.environment, wanted.environment),
        (decisions.c.outcome, wanted.outcome),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.actor is not None:
        query = query.where(or_(decisions.c.actor == wanted.actor, decisions.c.caller == wanted.actor))
    if wanted.start is not None:
        query = query.where(decisions.c.at >= wanted.start)
    if wanted.end is not None:
        query = query.where(decisions.c.at < wanted.end)
    if wanted.once:
        query = query.where(decisions.c.repeats.is_(None))
    if wanted.policy is not None:
        query = query.where(*_of_policy(wanted.policy, wanted))
    return query


def _of_policy(policy: str, wanted: DecisionFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.would_deny:
        return _would_deny(policy, never_lifted=wanted.never_lifted)
    return (_touched(policy),)


def _touched(policy: str) -> ColumnElement[bool]:
    """Return whether a policy vetoed a decision, or warned about it."""
    return or_(_holds(decisions.c.blocking, policy), _holds(decisions.c.warnings, policy))


def _would_deny(policy: str, *, never_lifted: bool) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a decision that went out with a warning of a policy that would have stopped it.

    A token that lets it through would lift that policy, too, unless it names others, or no token lifts the
    policy. Later steps of a running deploy are no deploys of their own.
    """
    yield _holds(decisions.c.warnings, policy)
    yield decisions.c.continues.is_(None)
    yield decisions.c.outcome != Outcome.DENY.value
    if never_lifted:
        return
    named = overrides.c.policies.contains(f'"{policy}"', autoescape=True)
    lifted = exists().where(
        overrides.c.id == decisions.c.override_id, or_(overrides.c.policies.is_(None), named)
    )
    yield not_(lifted)


def _holds(column: ColumnElement[str | None], name: str) -> ColumnElement[bool]:
    """Return whether a list of ids, joined by commas, holds a whole id."""
    return (literal(",") + column + ",").contains(f",{name},", autoescape=True)
