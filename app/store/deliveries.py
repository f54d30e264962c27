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


def add(connection: Connection, source: str, delivery: str, now: int) -> bool:
    """Note a delivery; return False if it is known already."""
    if connection.row(_KNOWN, sender=source, delivery=delivery) is not None:
        return False
    connection.insert(deliveries, _COLUMNS, [(source, delivery, now)])
    return True


def prune(connection: Connection, before: int) -> int:
    """Forget the deliveries received before an instant; return their number."""
    return connection.change(_PRUNE, before=before)
