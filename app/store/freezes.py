"""Ad-hoc freezes. They are few; replicas hold those that matter in memory."""

from typing import Final

from sqlalchemy import bindparam, or_, select, update

from app.core.freeze import Freeze
from app.core.policy import Selector
from app.store.connection import Connection, Row
from app.store.tables import freezes

_BY_ID: Final = select(freezes).where(freezes.c.id == bindparam("freeze_id"))
_CHANGE: Final = (
    update(freezes)
    .where(freezes.c.id == bindparam("freeze_id"))
    .values(
        ends_at=bindparam("new_end"),
        lifted_by=bindparam("person"),
        lifted_at=bindparam("lifted"),
        changed_at=bindparam("changed"),
    )
)
_LATEST: Final = (
    select(freezes)
    .where(
        or_(freezes.c.ends_at.is_(None), freezes.c.ends_at > bindparam("since")),
        or_(freezes.c.lifted_at.is_(None), freezes.c.lifted_at > bindparam("since")),
    )
    .order_by(freezes.c.starts_at, freezes.c.id)
)


def add(connection: Connection, freeze: Freeze) -> None:
    """Store a new freeze."""
    selector = freeze.selector.model_dump_json(exclude_none=True)
    connection.insert(freezes, [(*freeze[:5], selector, *freeze[6:])])


def change(connection: Connection, freeze: Freeze) -> None:
    """Store where a freeze ends now, who lifted it, and when that was said."""
    connection.change(
        _CHANGE,
        freeze_id=freeze.id,
        new_end=freeze.ends_at,
        person=freeze.lifted_by,
        lifted=freeze.lifted_at,
        changed=freeze.changed_at,
    )


def find(connection: Connection, freeze_id: str) -> Freeze | None:
    """The freeze of an id."""
    row = connection.row(_BY_ID, freeze_id=freeze_id)
    return None if row is None else _whole(row)


def lasting_after(connection: Connection, since: int) -> list[Freeze]:
    """The freezes that veto at some instant after `since`, or may; by their start."""
    return [_whole(row) for row in connection.rows(_LATEST, since=since)]


def newest(connection: Connection, before: str | None, most: int) -> list[Freeze]:
    """All freezes, newest first."""
    query = select(freezes).order_by(freezes.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(freezes.c.id < before)
    return [_whole(row) for row in connection.rows(query)]


def _whole(row: Row) -> Freeze:
    return Freeze._make((*row[:5], Selector.model_validate_json(row[5]), *row[6:]))
