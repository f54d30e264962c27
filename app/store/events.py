"""The audit log: its events, and the head that marks its end."""

import binascii
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select, text, update

from app.core.audit import GENESIS, Checkpoint, Event, Link, chained
from app.store import passages
from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.errors import StoreUnavailableError
from app.store.records import Head
from app.store.tables import NO_DECISION, checkpoints, events, head

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
_BEFORE_IT: Final = events.alias("before_it")
_PREVIOUS: Final = func.coalesce(
    func.nullif(events.c.previous, ""),
    select(_BEFORE_IT.c.hash).where(_BEFORE_IT.c.seq == events.c.seq - 1).scalar_subquery(),
    # The first event after those that were pruned.
    select(checkpoints.c.hash).where(checkpoints.c.seq == events.c.seq - 1).scalar_subquery(),
    "",
)
LINK: Final = tuple(columns_of(Link, events, previous=_PREVIOUS))
"""The columns of a link, to be read by `links_of`."""

_LINK: Final = select(*LINK)
_AFTER: Final = (
    select(*columns_of(Link, events))
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)
_PREVIOUS_OF: Final = select(_PREVIOUS).where(events.c.seq == bindparam("place"))
_BEFORE: Final = (
    _LINK.where(events.c.seq < bindparam("before")).order_by(events.c.seq.desc()).limit(bindparam("most"))
)
_KIND: Final = _LINK.where(text(NO_DECISION), events.c.kind == bindparam("wanted"))
_OF_KIND: Final = (
    _KIND.where(events.c.seq < bindparam("before")).order_by(events.c.seq.desc()).limit(bindparam("most"))
)
_NEXT_OF_KIND: Final = _KIND.where(events.c.seq >= bindparam("since")).order_by(events.c.seq).limit(1)
_SHORTENED: Final = "decision"
"""The kind of event that there is a million of."""

_STORED_LENGTH: Final = 43
_bytes_of: Final = binascii.a2b_base64
_END: Final = 2**62
"""Beyond every position."""


class StoredEvents(NamedTuple):
    """Consecutive events as they are stored."""

    rows: list[Row]
    forms: dict[str, passages.Form]
    """The forms that their data is joined from, by name."""
    before: Checkpoint
    """The event before the first one; its hash is empty if there is none."""

    def in_parts(self) -> Iterator[tuple[Link, list[str]]]:
        """Yield each event, with the name of its form and its values; those are empty if it is stored whole.

        One is made at a time: whole, a few thousand take megabytes, and the time to fetch them from memory.
        """
        before_seq, before = self.before
        joined, forms = passages.joined, self.forms
        for seq, at, kind, actor, stored, previous, own in self.rows:
            if previous:
                before = _in_hex(previous)
            elif seq != before_seq + 1:
                before = ""
            own_hash = _in_hex(own)
            data, parts = joined(stored, forms)
            yield Link(seq, at, kind, actor, data, before or GENESIS, own_hash), parts
            before_seq, before = seq, own_hash

    def others(self) -> list[Link]:
        """Return the events that are no decisions."""
        return [
            Link(seq, at, kind, actor, data, _in_hex(previous) if previous else GENESIS, _in_hex(own))
            for seq, at, kind, actor, data, previous, own in self.rows
            if kind != _SHORTENED
        ]


def find_head(connection: Connection, *, lock: bool = False) -> Head:
    """Return the head of the audit log; with `lock`, other writers wait for the end of this transaction."""
    row = connection.row(_LOCK if lock else _HEAD)
    if row is None:
        raise StoreUnavailableError("the record has lost its head")
    found = Head._make(row)
    return found._replace(hash=_in_hex(found.hash))


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


def append(
    connection: Connection, at: Head, new: Sequence[Event], shortener: passages.Shortener
) -> Checkpoint:
    """Append events after the head, which must be locked; return the new head."""
    links = list(chained(Checkpoint(at.seq, at.hash), new))
    rows = [_row(link, shortener) for link in links]
    connection.insert(events, Link._fields, rows)
    return Checkpoint(links[-1].seq, links[-1].hash) if links else Checkpoint(at.seq, at.hash)


def _row(link: Link, shortener: passages.Shortener) -> Link:
    """Return a link as it is stored.

    What precedes a decision is in the row before it. Other events keep it: they outlast that row.
    """
    seq, at, kind, actor, data, previous, own = link
    if kind != _SHORTENED:
        return Link(seq, at, kind, actor, data, _stored(previous), _stored(own))
    return Link(seq, at, kind, actor, shortener.shortened(seq, data), "", _stored(own))


def following(connection: Connection, after: int, most: int) -> list[Link]:
    """Return the events after a position, in order."""
    return [link for link, _ in stored_after(connection, after, most).in_parts()]


def stored_after(connection: Connection, after: int, most: int) -> StoredEvents:
    """Return the events after a position, in order, as they are stored."""
    rows = connection.rows(_AFTER, after=after, most=most)
    first = rows[0][0] if rows else 0
    before = Checkpoint(first - 1, _hash_at(connection, first) if rows else "")
    return StoredEvents(rows, passages.forms_of(connection, [row[4] for row in rows]), before)


def _hash_at(connection: Connection, seq: int) -> str:
    """Return the hash of the event before a position; empty if there is none."""
    row = connection.row(_PREVIOUS_OF, place=seq)
    return _in_hex(row[0]) if row else ""


def newest(connection: Connection, before: int, most: int) -> list[Link]:
    """Return the events before a position, newest first."""
    return links_of(connection, connection.rows(_BEFORE, before=before, most=most))


def latest_of_kind(connection: Connection, kind: str) -> Link | None:
    """Return the newest event of a kind other than ``decision``."""
    return next(iter(newest_of_kind(connection, kind, _END, 1)), None)


def newest_of_kind(connection: Connection, kind: str, before: int, most: int) -> list[Link]:
    """Return the events of a kind other than ``decision`` before a position, newest first."""
    return links_of(connection, connection.rows(_OF_KIND, wanted=kind, before=before, most=most))


def next_of_kind(connection: Connection, kind: str, since: int) -> Link | None:
    """Return the first event of a kind other than ``decision`` at a position or later."""
    return next(iter(links_of(connection, connection.rows(_NEXT_OF_KIND, wanted=kind, since=since))), None)


def links_of(connection: Connection, rows: Sequence[Row]) -> list[Link]:
    """Return the links of rows of `LINK`."""
    data = passages.whole(connection, [row[4] for row in rows])
    return [
        Link(seq, at, kind, actor, whole, _in_hex(previous) if previous else GENESIS, _in_hex(own))
        for (seq, at, kind, actor, _, previous, own), whole in zip(rows, data, strict=True)
    ]


def _stored(digest: str) -> str:
    """Return a hash as it is stored; 43 letters instead of 64."""
    return binascii.b2a_base64(bytes.fromhex(digest), newline=False)[:-1].decode()


def _in_hex(stored: str) -> str:
    """Return a stored hash in hexadecimal; what is none, as it is."""
    if len(stored) != _STORED_LENGTH:
        return stored
    try:
        return _bytes_of(stored + "=").hex()
    except ValueError:
        return stored
