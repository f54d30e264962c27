"""Copy a whole database into another, possibly of another kind."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Table, and_, func, literal, or_, select

from app.store.connection import Connection, Row
from app.store.errors import NoDatabaseError, StoreUnavailableError
from app.store.events import find_head
from app.store.open import open_database
from app.store.schema import stored_version, upgrade
from app.store.tables import head, keys, lease, metadata, schema_version

_TOGETHER: Final = 1_000
_AN_HOUR: Final = 3_600.0


def copy(source_url: str, target_url: str) -> dict[str, int]:
    """Copy a store into an empty one; return the number of rows of each table.

    The source is locked against writes meanwhile. The copy is one transaction.

    Raises:
        DatabaseUrlError: a URL names no usable database.
        NoDatabaseError: there is nothing to copy.
        StoreUnavailableError: a database can't be read or written, or the target is not empty.
    """
    source, target = (open_database(url, lock_wait=_AN_HOUR) for url in (source_url, target_url))
    try:
        if stored_version(source) is None:
            raise NoDatabaseError(source.name)
        for database in (source, target):
            upgrade(database)
        with source.writing() as reading, target.writing() as writing:
            find_head(reading, lock=True)
            _check_empty(writing)
            return {table.name: _copy(table, reading, writing) for table in _TABLES}
    except (*source.failures, *target.failures) as error:
        raise StoreUnavailableError(f"the copy failed: {error}".partition("\n")[0]) from error
    finally:
        source.close()
        target.close()


_TABLES: Final = [table for table in metadata.sorted_tables if table is not schema_version]


def _check_empty(connection: Connection) -> None:
    known = connection.row(select(func.count()).select_from(keys)) or (0,)
    if find_head(connection, lock=True).seq or known[0]:
        raise StoreUnavailableError("the target is not empty: a record can't be joined to another")
    for row_of_its_own in (head, lease):
        connection.change(row_of_its_own.delete())


def _copy(table: Table, source: Connection, target: Connection) -> int:
    copied, names = 0, tuple(column.name for column in table.columns)
    for rows in _pages(table, source):
        target.insert(table, names, rows)
        copied += len(rows)
    return copied


def _pages(table: Table, connection: Connection) -> Iterator[list[Row]]:
    """Yield the rows of a table, a page at a time, in the order of its key."""
    key = list(table.primary_key.columns)
    places = [list(table.columns).index(column) for column in key]
    page = select(table).order_by(*key).limit(_TOGETHER)
    rows = connection.rows(page)
    while rows:
        yield rows
        last = [rows[-1][place] for place in places]
        after = or_(
            *(
                and_(*(key[n] == literal(last[n]) for n in range(depth)), key[depth] > literal(last[depth]))
                for depth in range(len(key))
            )
        )
        rows = connection.rows(page.where(after))
