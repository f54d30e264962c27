"""Leases: work that one replica does at a time, each under its name."""

from typing import Final

from sqlalchemy import bindparam, or_, select, update

from app.store.connection import Connection
from app.store.tables import leases

_COLUMNS: Final = ("name", "holder", "held_until")
_KNOWN: Final = select(leases.c.holder).where(leases.c.name == bindparam("work"))
_TAKE: Final = (
    update(leases)
    .where(
        leases.c.name == bindparam("work"),
        or_(
            leases.c.holder == bindparam("me"),
            leases.c.held_until <= bindparam("now"),
            leases.c.held_until > bindparam("stale"),
        ),
    )
    .values(holder=bindparam("me"), held_until=bindparam("then"))
)
_RELEASE: Final = (
    update(leases)
    .where(leases.c.name == bindparam("work"), leases.c.holder == bindparam("me"))
    .values(held_until=0)
)


def take(connection: Connection, name: str, holder: str, now: int, until: int) -> bool:
    """Take or extend a lease; return False while another replica holds it.

    One that ends more than two durations from now is stale: the clock was ahead when it was taken.
    """
    stale = until + (until - now)
    if connection.change(_TAKE, work=name, me=holder, now=now, then=until, stale=stale):
        return True
    if connection.row(_KNOWN, work=name) is not None:
        return False
    connection.insert(leases, _COLUMNS, [(name, holder, until)])
    return True


def release(connection: Connection, name: str, holder: str) -> None:
    """Release a lease, so that another replica can take it at once."""
    connection.change(_RELEASE, work=name, me=holder)
