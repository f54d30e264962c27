"""The decisions that were claimed."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from app.store.engine import insert_rows
from app.store.errors import IdempotencyConflictError
from app.store.records import DecisionRecord, Recorded
from app.store.tables import HAS_KEY, decisions

_ANOTHER_OF_ITS_KEY: Final = f"(caller, idempotency_key) WHERE {HAS_KEY}"


def record(connection: Connection, claims: Sequence[DecisionRecord]) -> list[Recorded | Exception]:
    """Write claims within the connection's transaction, and say what stands in the record for each.

    An earlier decision of the same caller, key and request stands in place of a new one.
    """
    if insert_rows(connection, decisions, claims, _ANOTHER_OF_ITS_KEY) == len(claims):
        return [Recorded(claim.body, claim.outcome, claim.opens_at) for claim in claims]
    return [_standing(connection, claim) for claim in claims]


def find(connection: Connection, decision_id: str) -> DecisionRecord | None:
    """The decision of an id."""
    row = connection.execute(select(decisions).where(decisions.c.id == decision_id)).one_or_none()
    return None if row is None else DecisionRecord._make(row)


def latest(connection: Connection, limit: int, before: str | None) -> list[DecisionRecord]:
    """The newest decisions, newest first; of those older than `before`, the id of one."""
    query = select(decisions).order_by(decisions.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(decisions.c.id < before)
    return [DecisionRecord._make(row) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(decisions)).scalar_one()


def _standing(connection: Connection, claim: DecisionRecord) -> Recorded | Exception:
    if claim.idempotency_key is None:
        return Recorded(claim.body, claim.outcome, claim.opens_at)
    query = select(
        decisions.c.body, decisions.c.outcome, decisions.c.opens_at, decisions.c.fingerprint
    ).where(decisions.c.caller == claim.caller, decisions.c.idempotency_key == claim.idempotency_key)
    row = connection.execute(query).one()
    if row.fingerprint != claim.fingerprint:
        return IdempotencyConflictError("this idempotency key was used for another request")
    return Recorded(row.body, row.outcome, row.opens_at)
