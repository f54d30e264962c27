"""Queries for ad-hoc freezes. They are few, so each replica keeps the current ones in memory."""

import json
from typing import Any, Final

from sqlalchemy import bindparam, or_, select, update

from app.core.freeze import Freeze
from app.core.policy import Selector
from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.tables import freezes

_SELECTOR: Final = Freeze._fields.index("selector")
_EXEMPT: Final = Freeze._fields.index("exempt")
_COLUMNS: Final = select(*columns_of(Freeze, freezes))
_BY_ID: Final = _COLUMNS.where(freezes.c.id == bindparam("freeze_id"))
_CHANGEABLE: Final = tuple(
    column for column in freezes.c if column.name not in ("id", "started_by", "created_at")
)
_CHANGE: Final = (
    update(freezes)
    .where(freezes.c.id == bindparam("freeze_id"))
    .values({column: bindparam(f"new_{column.name}") for column in _CHANGEABLE})
)
_LATEST: Final = _COLUMNS.where(
    or_(freezes.c.ends_at.is_(None), freezes.c.ends_at > bindparam("since")),
    or_(freezes.c.lifted_at.is_(None), freezes.c.lifted_at > bindparam("since")),
).order_by(freezes.c.starts_at, freezes.c.id)


def add(connection: Connection, freeze: Freeze) -> None:
    """Store a new freeze."""
    connection.add(freezes, _row(freeze))


def change(connection: Connection, freeze: Freeze) -> None:
    """Update a freeze; its author and creation time don't change."""
    row = _row(freeze)
    values = {f"new_{column.name}": row[column.name] for column in _CHANGEABLE}
    connection.change(_CHANGE, freeze_id=freeze.id, **values)


def find(connection: Connection, freeze_id: str) -> Freeze | None:
    """Return a freeze by id."""
    row = connection.row(_BY_ID, freeze_id=freeze_id)
    return None if row is None else _freeze(row)


def lasting_after(connection: Connection, since: int) -> list[Freeze]:
    """Return the freezes that may block deploys after `since`, ordered by start."""
    return [_freeze(row) for row in connection.rows(_LATEST, since=since)]


def newest(connection: Connection, before: str | None, most: int) -> list[Freeze]:
    """Return at most `most` freezes with ids below `before`, newest first."""
    query = _COLUMNS.order_by(freezes.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(freezes.c.id < before)
    return [_freeze(row) for row in connection.rows(query)]


def _row(freeze: Freeze) -> dict[str, Any]:
    """Return the values of a freeze by the names of their columns."""
    exempt = json.dumps([each.model_dump(exclude_none=True) for each in freeze.exempt])
    return {
        **freeze._asdict(),
        "selector": freeze.selector.model_dump_json(exclude_none=True),
        "exempt": exempt if freeze.exempt else None,
    }


def _freeze(row: Row) -> Freeze:
    freeze = Freeze._make(row)
    exempt: str | None = row[_EXEMPT]
    return freeze._replace(
        selector=Selector.model_validate_json(row[_SELECTOR]),
        exempt=tuple(map(Selector.model_validate, json.loads(exempt) if exempt else ())),
    )
