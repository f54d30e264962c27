"""The ids of webhooks that were dealt with, so that one that is delivered again is not dealt with again."""

from typing import Final

from sqlalchemy import bindparam, delete, select

from app.store.connection import Connection
from app.store.tables import deliveries

_COLUMNS: Final = ("source", "id", "received_at")
_KNOWN: Final = select(deliveries.c.received_at).where(
    deliveries.c.source == bindparam("sender"), deliveries.c.id == bindparam("delivery")
)
_PRUNE: Final = delete(deliveries).where(deliveries.c.received_at < bindparam("before"))
_FIRST_BEYOND: Final = (
    select(deliveries.c.received_at)
    .order_by(deliveries.c.received_at.desc())
    .limit(1)
    .offset(bindparam("most"))
)


def is_known(connection: Connection, source: str, delivery: str) -> bool:
    """Return whether a delivery is noted."""
    return connection.row(_KNOWN, sender=source, delivery=delivery) is not None


def add(connection: Connection, source: str, delivery: str, now: int) -> bool:
    """Note a delivery; return False if it is known already."""
    if is_known(connection, source, delivery):
        return False
    connection.insert(deliveries, _COLUMNS, [(source, delivery, now)])
    return True


def prune(connection: Connection, before: int, most: int) -> int:
    """Forget the deliveries received before an instant, and the oldest beyond `most`; return their number."""
    beyond = connection.row(_FIRST_BEYOND, most=most)
    last = before if beyond is None else max(before, beyond[0] + 1)
    return connection.change(_PRUNE, before=last)
