"""The decisions that were claimed."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from app.store.errors import IdempotencyConflictError
from app.store.records import DecisionRecord, Recorded
from app.store.tables import decisions

_COLUMNS: Final = DecisionRecord._fields

# One statement however many claims share the commit: the rows travel as one JSON text.
_VALUES: Final = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(len(_COLUMNS)))
_INSERT: Final = (
    f"INSERT INTO decisions ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own fields
    f"SELECT {_VALUES} FROM json_each(?) "
    "WHERE true ON CONFLICT (caller, idempotency_key) DO NOTHING"
)


def record(connection: Connection, claims: Sequence[DecisionRecord]) -> list[Recorded | Exception]:
    """Write claims within the connection's transaction, and say what stands in the record for each.

    An earlier decision of the same caller, key and request stands in place of a new one.
    """
    connection.exec_driver_sql(_INSERT, (json.dumps(claims),))
    return [
        Recorded(claim.body, claim.outcome, claim.opens_at)
        if claim.idempotency_key is None
        else _standing(connection, claim)
        for claim in claims
    ]


def find(connection: Connection, decision_id: str) -> DecisionRecord | None:
    """The decision of an id."""
    query = select(*(decisions.c[name] for name in _COLUMNS)).where(decisions.c.id == decision_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else DecisionRecord._make(row)


def latest(connection: Connection, limit: int) -> list[DecisionRecord]:
    """The newest decisions, newest first."""
    query = select(*(decisions.c[name] for name in _COLUMNS)).order_by(decisions.c.id.desc()).limit(limit)
    return [DecisionRecord._make(row) for row in connection.execute(query)]


def _standing(connection: Connection, claim: DecisionRecord) -> Recorded | Exception:
    query = select(
        decisions.c.body, decisions.c.outcome, decisions.c.opens_at, decisions.c.fingerprint
    ).where(decisions.c.caller == claim.caller, decisions.c.idempotency_key == claim.idempotency_key)
    row = connection.execute(query).one()
    if row.fingerprint != claim.fingerprint:
        return IdempotencyConflictError("this idempotency key was used for another request")
    return Recorded(row.body, row.outcome, row.opens_at)
