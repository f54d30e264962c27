"""The windows that this gate created at other systems, where those have no place for a name."""

from typing import Final

from sqlalchemy import bindparam, select, update

from app.store.connection import Connection
from app.store.tables import projections

_COLUMNS: Final = ("target", "place", "content")
_THIS: Final = (projections.c.target == bindparam("system"), projections.c.place == bindparam("at"))
_FIND: Final = select(projections.c.content).where(*_THIS)
_CHANGE: Final = update(projections).where(*_THIS).values(content=bindparam("new"))


def find(connection: Connection, target: str, place: str) -> str | None:
    """Return what is remembered of a place; None if nothing is."""
    row = connection.row(_FIND, system=target, at=place)
    return None if row is None else str(row[0])


def keep(connection: Connection, target: str, place: str, content: str) -> None:
    """Remember something of a place, instead of what was before."""
    if not connection.change(_CHANGE, system=target, at=place, new=content):
        connection.insert(projections, _COLUMNS, [(target, place, content)])
