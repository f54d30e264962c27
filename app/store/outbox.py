"""The outbox of notifications, and the lease of the replica that sends them.

The answers to holds are in it as well, each under the id of its hold; only those that wait.

There is one writer at a time, so checking before an insert is safe.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import bindparam, delete, func, or_, select, text, update

from app.core.audit import Link
from app.store import passages
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.errors import StoreUnavailableError
from app.store.events import LINK, links_of
from app.store.records import Backlog, Denial, Lease, OutboxMessage
from app.store.tables import NO_DECISION, WAITING, decisions, events, lease, outbox

_ONLY: Final = 1
_DIGITS: Final = 20

_LAST_ID: Final = select(func.max(outbox.c.id))
_KNOWN: Final = select(outbox.c.id).where(
    outbox.c.receiver == bindparam("to"), outbox.c.key == bindparam("about")
)
_FIRST: Final = (
    select(*columns_of(OutboxMessage, outbox))
    .where(text(WAITING), outbox.c.receiver == bindparam("to"))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_LATEST: Final = select(func.max(outbox.c.id)).where(outbox.c.key.like(bindparam("keys")))
_BACKLOG: Final = (
    select(outbox.c.receiver, func.count(), func.min(outbox.c.created_at))
    .where(text(WAITING))
    .group_by(outbox.c.receiver)
)
_ONE: Final = update(outbox).where(outbox.c.id == bindparam("message"))
_SENT: Final = _ONE.values(attempts=outbox.c.attempts + 1, sent_at=bindparam("now"))
_FAILED: Final = _ONE.values(
    attempts=outbox.c.attempts + 1, due_at=bindparam("then"), last_error=bindparam("why")
)
_GIVEN_UP: Final = _ONE.values(
    attempts=outbox.c.attempts + 1, given_up_at=bindparam("now"), last_error=bindparam("why")
)
_OF_HOLDS: Final = "hold:"
"""Begins the receiver of an answer, before the vendor's name."""

_DUE_ANSWERS: Final = (
    select(*columns_of(OutboxMessage, outbox))
    .where(text(WAITING), outbox.c.receiver.like(f"{_OF_HOLDS}%"), outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_DROP: Final = delete(outbox).where(outbox.c.receiver == bindparam("to"), outbox.c.key == bindparam("about"))
_DROP_ONE: Final = delete(outbox).where(outbox.c.id == bindparam("message"))
_PRUNE: Final = delete(outbox).where(
    outbox.c.created_at < bindparam("before"),
    outbox.c.receiver.notlike(f"{_OF_HOLDS}%"),
    or_(outbox.c.created_at < bindparam("longer_before"), outbox.c.key.notlike(bindparam("longer_kept"))),
)

_LEASE: Final = select(*columns_of(Lease, lease)).where(lease.c.id == _ONLY)
_TAKE: Final = (
    update(lease)
    .where(
        lease.c.id == _ONLY,
        or_(
            lease.c.holder == bindparam("me"),
            lease.c.held_until <= bindparam("now"),
            lease.c.held_until > bindparam("stale"),
        ),
    )
    .values(holder=bindparam("me"), held_until=bindparam("then"))
)
_MOVE: Final = (
    update(lease)
    .where(
        lease.c.id == _ONLY,
        lease.c.holder == bindparam("me"),
        lease.c.seq == bindparam("from_seq"),
        lease.c.looked_until == bindparam("from_instant"),
    )
    .values(seq=bindparam("to_seq"), looked_until=bindparam("to_instant"), environments=bindparam("to_state"))
)
_RELEASE: Final = (
    update(lease).where(lease.c.id == _ONLY, lease.c.holder == bindparam("me")).values(held_until=0)
)

_NEWS: Final = (
    select(*LINK)
    .where(text(NO_DECISION), events.c.seq > bindparam("after"), events.c.seq <= bindparam("last"))
    .order_by(events.c.seq)
)
_WHO: Final = func.coalesce(func.nullif(decisions.c.actor, ""), decisions.c.caller)
_DENIALS: Final = (
    select(*columns_of(Denial, decisions, who=_WHO, data=events.c.data))
    .join_from(decisions, events, events.c.seq == decisions.c.seq)
    .where(
        decisions.c.seq > bindparam("after"),
        decisions.c.seq <= bindparam("last"),
        decisions.c.outcome == "deny",
        decisions.c.repeats.is_(None),
    )
    .order_by(decisions.c.seq)
)


def put(
    connection: Connection, to: Iterable[str], key: str, data: str, microseconds: int, not_before: int
) -> int:
    """Add a notification for receivers to the outbox, except for those that already have it.

    Args:
        connection: within a transaction that writes.
        to: the names of the receivers.
        key: identifies its subject.
        data: the notification, as JSON.
        microseconds: the present instant.
        not_before: the earliest instant of an attempt, in seconds.

    Returns:
        The number of receivers for which it is new.
    """
    new = [name for name in to if connection.row(_KNOWN, to=name, about=key) is None]
    row = connection.row(_LAST_ID) if new else None
    last = int(row[0].removeprefix("ntf_")) if row is not None and row[0] else 0
    # Ids sort in the order of insertion, also where the clocks of replicas differ.
    first = max(last + 1, microseconds)
    created_at = microseconds // 1_000_000
    rows = [
        OutboxMessage(
            id=f"ntf_{first + number:0{_DIGITS}}",
            receiver=name,
            key=key,
            data=data,
            created_at=created_at,
            due_at=not_before,
            attempts=0,
        )
        for number, name in enumerate(new)
    ]
    connection.insert(outbox, OutboxMessage._fields, rows)
    return len(rows)


def first(connection: Connection, receiver: str, most: int) -> list[OutboxMessage]:
    """Return the messages that wait for a receiver, oldest first."""
    return [OutboxMessage._make(row) for row in connection.rows(_FIRST, to=receiver, most=most)]


def latest(connection: Connection, about: str) -> str | None:
    """Return the id of the newest notification whose key has a prefix, sent or not."""
    row = connection.row(_LATEST, keys=f"{about}%")
    return None if row is None or row[0] is None else str(row[0])


def backlog(connection: Connection) -> dict[str, Backlog]:
    """Return the backlog of each receiver."""
    return {row[0]: Backlog(int(row[1]), int(row[2])) for row in connection.rows(_BACKLOG)}


def sent(connection: Connection, message: str, now: int) -> None:
    """Mark a message as sent."""
    connection.change(_SENT, message=message, now=now)


def failed(connection: Connection, message: str, due_at: int, why: str) -> None:
    """Schedule another attempt."""
    connection.change(_FAILED, message=message, then=due_at, why=why)


def give_up(connection: Connection, message: str, now: int, why: str) -> None:
    """Give up on a message."""
    connection.change(_GIVEN_UP, message=message, now=now, why=why)


def prune(connection: Connection, before: int, longer_kept: str, longer_before: int) -> int:
    """Delete messages added before an instant, sent or not; return their number.

    Those whose key has the prefix `longer_kept` are deleted if added before `longer_before`.
    """
    return connection.change(
        _PRUNE, before=before, longer_kept=f"{longer_kept}%", longer_before=longer_before
    )


def put_answer(connection: Connection, responder: str, hold_id: str, data: str, now: int) -> None:
    """Add the answer to a hold, instead of an older one that waits.

    It gets a new id, so that the result of an attempt on the older one doesn't count for it.
    """
    drop_answer(connection, responder, hold_id)
    put(connection, [_OF_HOLDS + responder], hold_id, data, now * 1_000_000, now)


def due_answers(connection: Connection, now: int, most: int) -> list[OutboxMessage]:
    """Return the answers to holds that are due, oldest first."""
    return [OutboxMessage._make(row) for row in connection.rows(_DUE_ANSWERS, now=now, most=most)]


def drop_answer(connection: Connection, responder: str, hold_id: str) -> None:
    """Delete the answer to a hold."""
    connection.change(_DROP, to=_OF_HOLDS + responder, about=hold_id)


def drop(connection: Connection, message: str) -> bool:
    """Delete a message; return False if it is gone already."""
    return connection.change(_DROP_ONE, message=message) > 0


def find_lease(connection: Connection) -> Lease:
    """Return the lease."""
    row = connection.row(_LEASE)
    if row is None:
        raise StoreUnavailableError("the store has lost its row of the lease")
    return Lease._make(row)


def take_lease(connection: Connection, holder: str, now: int, until: int) -> bool:
    """Take or extend the lease; return False while another replica holds it.

    One that ends more than two durations from now is stale: the clock was ahead when it was taken.
    """
    stale = until + (until - now)
    return connection.change(_TAKE, me=holder, now=now, then=until, stale=stale) > 0


def advance_lease(connection: Connection, holder: str, before: Lease, after: Lease) -> bool:
    """Move the lease's position forward; return False if another replica did, or holds it."""
    moved = connection.change(
        _MOVE,
        me=holder,
        from_seq=before.seq,
        from_instant=before.looked_until,
        to_seq=after.seq,
        to_instant=after.looked_until,
        to_state=after.environments,
    )
    return moved > 0


def release_lease(connection: Connection, holder: str) -> None:
    """Release the lease, so that another replica can take it at once."""
    connection.change(_RELEASE, me=holder)


def news(connection: Connection, after: int, last: int) -> list[Link]:
    """Return the events between two positions, without decisions."""
    return links_of(connection, connection.rows(_NEWS, after=after, last=last))


def denials(connection: Connection, after: int, last: int) -> list[Denial]:
    """Return the claims denied between two positions."""
    rows = connection.rows(_DENIALS, after=after, last=last)
    return passages.with_whole_data(connection, map(Denial._make, rows))
