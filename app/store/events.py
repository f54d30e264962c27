"""The audit log: its events, and the head that marks its end."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select, text, update

from app.core.audit import Checkpoint, Event, Link, chained
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.errors import StoreUnavailableError
from app.store.records import Head
from app.store.tables import NO_DECISION, events, head

_ONLY: Final = 1
_HEAD: Final = select(*columns_of(Head, head)).where(head.c.id == _ONLY)
# SQLite has no such clause and needs none: its writing transactions exclude each other.
_LOCK: Final = _HEAD.with_for_update()
_MOVE: Final = update(head).where(head.c.id == _ONLY)
_MOVED: Final = _MOVE.values(
    seq=bindparam("new_seq"),
    hash=bindparam("new_hash"),
    freezes_version=bindparam("new_freezes_version"),
    keys_version=bindparam("new_keys_version"),
    latest_at=bindparam("new_latest_at"),
)
_LINK: Final = select(*columns_of(Link, events))
_AFTER: Final = _LINK.where(events.c.seq > bindparam("after")).order_by(events.c.seq).limit(bindparam("most"))
_BEFORE: Final = (
    _LINK.where(events.c.seq < bindparam("before")).order_by(events.c.seq.desc()).limit(bindparam("most"))
)
_KIND: Final = _LINK.where(text(NO_DECISION), events.c.kind == bindparam("wanted"))
_OF_KIND: Final = (
    _KIND.where(events.c.seq < bindparam("before")).order_by(events.c.seq.desc()).limit(bindparam("most"))
)
_NEXT_OF_KIND: Final = _KIND.where(events.c.seq >= bindparam("since")).order_by(events.c.seq).limit(1)
_END: Final = 2**62
"""Beyond every position."""


def find_head(connection: Connection, *, lock: bool = False) -> Head:
    """Return the head of the audit log; with `lock`, other writers wait for the end of this transaction."""
    row = connection.row(_LOCK if lock else _HEAD)
    if row is None:
        raise StoreUnavailableError("the record has lost its head")
    return Head._make(row)


def move_head(connection: Connection, to: Head) -> None:
    """Move the head to a new end."""
    connection.change(
        _MOVED,
        new_seq=to.seq,
        new_hash=to.hash,
        new_freezes_version=to.freezes_version,
        new_keys_version=to.keys_version,
        new_latest_at=to.latest_at,
    )


def append(connection: Connection, at: Head, new: Sequence[Event]) -> Checkpoint:
    """Append events after the head, which must be locked; return the new head."""
    links = list(chained(Checkpoint(at.seq, at.hash), new))
    connection.insert(events, Link._fields, links)
    return Checkpoint(links[-1].seq, links[-1].hash) if links else Checkpoint(at.seq, at.hash)


def following(connection: Connection, after: int, most: int) -> list[Link]:
    """Return the events after a position, in order."""
    return [Link._make(row) for row in connection.rows(_AFTER, after=after, most=most)]


def newest(connection: Connection, before: int, most: int) -> list[Link]:
    """Return the events before a position, newest first."""
    return [Link._make(row) for row in connection.rows(_BEFORE, before=before, most=most)]


def latest_of_kind(connection: Connection, kind: str) -> Link | None:
    """Return the newest event of a kind other than ``decision``."""
    return next(iter(newest_of_kind(connection, kind, _END, 1)), None)


def newest_of_kind(connection: Connection, kind: str, before: int, most: int) -> list[Link]:
    """Return the events of a kind other than ``decision`` before a position, newest first."""
    rows = connection.rows(_OF_KIND, wanted=kind, before=before, most=most)
    return [Link._make(row) for row in rows]


def next_of_kind(connection: Connection, kind: str, since: int) -> Link | None:
    """Return the first event of a kind other than ``decision`` at a position or later."""
    row = connection.row(_NEXT_OF_KIND, wanted=kind, since=since)
    return None if row is None else Link._make(row)
