"""Opening the database: the one place that knows how databases differ."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Engine, Table, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DataError, DisconnectionError, IntegrityError, ProgrammingError

from app.store.errors import DatabaseUrlError

_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    # macOS: flush through the drive's cache, too. Nothing elsewhere.
    "fullfsync = ON",
    "foreign_keys = ON",
    # The log grows while somebody reads for long; afterwards it shrinks to 64 MiB.
    "journal_size_limit = 67108864",
)

_ROWS_TOGETHER: Final = 64
"""Rows in one statement. Each number of rows is a statement of its own, prepared once and kept."""

_KEPT_STATEMENTS: Final = 256

_FILE: Final = "file"


def open_engine(url: str, lock_wait: float) -> Engine:
    """An engine for a database URL, ready to connect to a database that is there already.

    Args:
        url: such as ``sqlite:///freezegate.db``; a relative path counts from the working directory.
        lock_wait: seconds that a transaction waits for one of another process, and for a connection.

    Raises:
        DatabaseUrlError: the URL is malformed or of a kind of database that is not supported.
    """
    parsed = _parse(url)
    file = _file(parsed)
    engine = create_engine(
        parsed,
        creator=partial(_connect_sqlite, file, lock_wait),
        pool_size=4,
        max_overflow=4,
        pool_timeout=lock_wait,
        # What callers sent is not repeated in errors and tracebacks.
        hide_parameters=True,
    )
    event.listen(engine, "connect", partial(_note_file, file))
    event.listen(engine, "checkout", partial(_check_file, file))
    event.listen(engine, "begin", _begin)
    return engine


def create_database(engine: Engine) -> None:
    """Make an empty database where there is none; `open_engine` never does, see `_connect_sqlite`."""
    _file(engine.url).touch()


def lock_file(engine: Engine) -> Path:
    """The file to lock while the schema changes."""
    file = _file(engine.url)
    return file.with_name(f"{file.name}.lock")


def database_exists(engine: Engine) -> bool:
    """Whether there is anything to connect to."""
    return _file(engine.url).exists()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: it sees one state of the database and waits for no writer."""
    with engine.connect().execution_options(reading=True) as connection:
        yield connection


def is_present(connection: Connection) -> bool:
    """Whether a connection that was kept open still leads to the database of the URL.

    A file that was removed or replaced can be written to for ever, by whoever has it open; what is
    written is lost.

    Raises:
        OSError: there is no such file any more.
    """
    file, identity = connection.info[_FILE]
    return bool(_identity(file) == identity)


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], unless: str) -> int:
    """Insert whole rows, many with one statement, and say how many went in.

    One statement of many rows, for the driver lets go of the interpreter at every statement, and
    under load each of them waits to get it back.

    Args:
        connection: within a transaction.
        table: its columns have the order of the values.
        rows: a value for each column.
        unless: the target of ``ON CONFLICT``: rows that another one stands in the way of are left out.
    """
    inserted = 0
    for first in range(0, len(rows), _ROWS_TOGETHER):
        together = rows[first : first + _ROWS_TOGETHER]
        statement = _insertion(table, len(together), unless)
        inserted += connection.exec_driver_sql(statement, tuple(chain.from_iterable(together))).rowcount
    return inserted


def is_about_a_row(error: Exception) -> bool:
    """Whether a statement failed for what it was to write, and not for the state of the database."""
    # What the driver can't bind at all are no errors of SQLAlchemy's.
    spoilt = (IntegrityError, DataError, ProgrammingError, ValueError, OverflowError, TypeError)
    return isinstance(error, spoilt)


@lru_cache(maxsize=_KEPT_STATEMENTS)
def _insertion(table: Table, rows: int, unless: str) -> str:
    columns = ", ".join(column.name for column in table.columns)
    row = f"({', '.join('?' * len(table.columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table.name} ({columns}) VALUES {values} ON CONFLICT {unless} DO NOTHING"  # noqa: S608 - our own names


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUrlError("the database URL can't be read; one is sqlite:///freezegate.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseUrlError(f"databases of kind {parsed.get_backend_name()} are not supported")
    path = parsed.database or ""
    if path in ("", ":memory:") or path.startswith("file:"):
        raise DatabaseUrlError(
            "decisions must survive a restart: name a file, such as sqlite:///freezegate.db"
        )
    if parsed.query or parsed.host:
        raise DatabaseUrlError("the database URL takes the path of a file and nothing else: sqlite:///…")
    return parsed


def _file(url: URL) -> Path:
    return Path(url.database or "")


def _connect_sqlite(file: Path, lock_wait: float) -> sqlite3.Connection:
    # Never create what is missing: a record must not go on in an empty file when its own has vanished.
    connection = sqlite3.connect(
        f"file:{quote(str(file))}?mode=rw",
        uri=True,
        timeout=lock_wait,
        # The driver must not begin transactions of its own: they would be deferred.
        isolation_level=None,
        # The pool hands a connection to one thread at a time.
        check_same_thread=False,
        cached_statements=_KEPT_STATEMENTS,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    # A deferred transaction fails where it turns from reading to writing while another writes.
    reads = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _identity(file: Path) -> tuple[int, int]:
    status = os.stat(file)  # noqa: PTH116 - once a commit: half the time of Path.stat
    return status.st_dev, status.st_ino


def _note_file(file: Path, _: Any, entry: Any) -> None:
    entry.info[_FILE] = (file, _identity(file))


def _check_file(file: Path, _: Any, entry: Any, __: Any) -> None:
    if entry.info[_FILE] != (file, _identity(file)):
        raise DisconnectionError("the database file was replaced")
