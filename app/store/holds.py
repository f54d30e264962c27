"""Queries for holds: deploys that wait to be answered.

The replica with the lease of holds reads all that wait once a second; a page of the list reads by id.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, text, update

from app.core.decision import Question
from app.core.environment import MOST_BATCH
from app.core.hold import Hold, HoldState
from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.records import HoldCount, HoldFilter, Unfinished
from app.store.tables import UNFINISHED, holds

_QUESTION: Final = Hold._fields.index("question")
_TARGET: Final = Hold._fields.index("target")
_STATE: Final = Hold._fields.index("state")
_MARKED: Final = ("changed_at", "opens_at", "reports", "told_at")
"""The columns of a waiting hold that change while it waits."""

_MOST_SINGLE: Final = 50
"""Holds that are read one by one; of more, all are read anew."""

_COLUMNS: Final = select(*columns_of(Hold, holds))
_BY_ID: Final = _COLUMNS.where(holds.c.id == bindparam("hold_id"))
_BY_KEY: Final = (
    _COLUMNS.where(
        holds.c.responder.in_((bindparam("vendor"), bindparam("other_vendor"))),
        holds.c.key == bindparam("of_key"),
    )
    .order_by(holds.c.created_at.desc(), holds.c.id.desc())
    .limit(1)
)
_WAITING: Final = (
    _COLUMNS.where(text(UNFINISHED), holds.c.state == HoldState.WAITING.value)
    .order_by(holds.c.created_at, holds.c.id)
    .limit(bindparam("most"))
)
_MARKS: Final = (
    select(*(holds.c[name] for name in ("id", *_MARKED)))
    .where(text(UNFINISHED), holds.c.state == HoldState.WAITING.value)
    .order_by(holds.c.created_at, holds.c.id)
    .limit(bindparam("most"))
)
_COUNTS: Final = (
    select(holds.c.environment, holds.c.state, func.count(), func.min(holds.c.created_at))
    .where(text(UNFINISHED))
    .group_by(holds.c.environment, holds.c.state)
)
_UNFINISHED: Final = select(
    func.count(),
    func.count().filter(
        holds.c.requested_by == bindparam("who"), holds.c.key_id.is_not_distinct_from(bindparam("of_key"))
    ),
).where(text(UNFINISHED))
_FAILED: Final = (
    select(func.count())
    .select_from(holds)
    .where(holds.c.changed_at >= bindparam("since"), holds.c.state == HoldState.FAILED.value)
)
_RELEASED: Final = (
    select(func.count())
    .select_from(holds)
    .where(holds.c.environment == bindparam("place"), holds.c.released_at > bindparam("since"))
)
_RELEASES: Final = (
    select(holds.c.released_at)
    .where(holds.c.environment == bindparam("place"), holds.c.released_at > bindparam("since"))
    .order_by(holds.c.released_at.desc())
    .limit(MOST_BATCH)
)
_CHANGEABLE: Final = tuple(
    holds.c[name]
    for name in (
        "sealed",
        "state",
        "changed_at",
        "opens_at",
        "decision_id",
        "reports",
        "told_at",
        "released_at",
        "cancelled_by",
        "cancel_reason",
    )
)
_CHANGE: Final = (
    update(holds)
    .where(holds.c.id == bindparam("hold_id"))
    .values({column: bindparam(f"new_{column.name}") for column in _CHANGEABLE})
)
_PRUNE: Final = delete(holds).where(text(f"NOT ({UNFINISHED})"), holds.c.changed_at < bindparam("before"))


def add(connection: Connection, hold: Hold) -> None:
    """Store a new hold."""
    row = {
        **hold._asdict(),
        "question": json.dumps(hold.question._asdict()),
        "service": hold.question.service,
        "environment": hold.question.environment,
        "target": json.dumps(hold.target),
        "state": hold.state.value,
    }
    connection.add(holds, row)


def change(connection: Connection, hold: Hold) -> None:
    """Update a hold; what was asked, by whom and until when doesn't change."""
    values = {f"new_{column.name}": getattr(hold, column.name) for column in _CHANGEABLE}
    connection.change(_CHANGE, hold_id=hold.id, **values | {"new_state": hold.state.value})


def find(connection: Connection, hold_id: str) -> Hold | None:
    """Return a hold by id."""
    row = connection.row(_BY_ID, hold_id=hold_id)
    return None if row is None else _hold(row)


def of_key(connection: Connection, responders: Sequence[str], key: str) -> Hold | None:
    """Return the latest hold of a key, at one vendor or either of two."""
    row = connection.row(_BY_KEY, vendor=responders[0], other_vendor=responders[-1], of_key=key)
    return None if row is None else _hold(row)


def waiting(connection: Connection, most: int, known: Mapping[str, Hold]) -> list[Hold]:
    """Return the holds that wait, the longest waiting first.

    Args:
        connection: within a transaction.
        most: the number of holds that are returned at most.
        known: holds that waited at an earlier look, by id; only those that are new are read and parsed.
    """
    marks = connection.rows(_MARKS, most=most)
    new = [hold_id for hold_id, *_ in marks if hold_id not in known]
    if len(new) > _MOST_SINGLE:
        return [_hold(row) for row in connection.rows(_WAITING, most=most)]
    read = {hold_id: hold for hold_id in new if (hold := find(connection, hold_id)) is not None}
    return [_marked(known.get(hold_id) or read[hold_id], mark) for hold_id, *mark in marks]


def newest(connection: Connection, wanted: HoldFilter, before: str | None, most: int) -> list[Hold]:
    """Return at most `most` holds with ids below `before`, newest first."""
    query = _COLUMNS.order_by(holds.c.id.desc()).limit(most)
    for name in ("service", "environment", "responder", "state"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(holds.c[name] == value)
    if wanted.unfinished:
        query = query.where(text(UNFINISHED))
    if before is not None:
        query = query.where(holds.c.id < before)
    return [_hold(row) for row in connection.rows(query)]


def count(connection: Connection) -> list[HoldCount]:
    """Return the numbers of unfinished holds, by environment and state."""
    return [HoldCount._make(row) for row in connection.rows(_COUNTS)]


def unfinished(connection: Connection, requested_by: str, key_id: str | None) -> Unfinished:
    """Return the numbers of unfinished holds: all, and those of a caller."""
    row = connection.row(_UNFINISHED, who=requested_by, of_key=key_id)
    return Unfinished(*(row or (0, 0)))


def failed(connection: Connection, since: int) -> int:
    """Return the number of holds whose answer was not taken, since an instant."""
    return int((connection.row(_FAILED, since=since) or (0,))[0])


def released(connection: Connection, environment: str, since: int) -> int:
    """Return the number of holds of an environment released after an instant."""
    return int((connection.row(_RELEASED, place=environment, since=since) or (0,))[0])


def releases(connection: Connection, environment: str, since: int) -> list[int]:
    """Return the instants of the releases of holds of an environment after an instant."""
    return [released_at for (released_at,) in connection.rows(_RELEASES, place=environment, since=since)]


def prune(connection: Connection, before: int) -> int:
    """Delete the holds that were finished before an instant; their events stay."""
    return connection.change(_PRUNE, before=before)


def _marked(hold: Hold, mark: Sequence[Any]) -> Hold:
    """Return a hold with the columns of its mark."""
    if [hold.changed_at, hold.opens_at, hold.reports, hold.told_at] == mark:
        return hold
    return hold._replace(**dict(zip(_MARKED, mark, strict=True)))


def _hold(row: Row) -> Hold:
    values: list[Any] = list(row)
    question: dict[str, Any] = json.loads(values[_QUESTION])
    values[_QUESTION] = Question(**question | {"services": tuple(question["services"])})
    values[_TARGET] = json.loads(values[_TARGET])
    values[_STATE] = HoldState(values[_STATE])
    return Hold._make(values)
