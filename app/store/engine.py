"""Opening the database: the one place that knows how databases differ."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError

from app.core.errors import FreezegateError

LOCK_WAIT_MS: Final = 1_500
"""How long a write waits for another process's; less than the deadline of a claim."""


class DatabaseUrlError(FreezegateError):
    """The database URL does not name a database that can be used."""


def open_engine(url: str) -> Engine:
    """An engine for a database URL, ready to connect.

    Raises:
        DatabaseUrlError: the URL is malformed or of a kind of database that is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUrlError("the database URL can't be read; one is sqlite:///freezegate.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseUrlError(f"databases of kind {parsed.get_backend_name()} are not supported")
    engine = create_engine(parsed, pool_size=4, max_overflow=4, pool_timeout=LOCK_WAIT_MS / 1000)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine


def lock_file(engine: Engine) -> Path | None:
    """The file to lock while the schema changes; None for a database in memory."""
    name = engine.url.database
    return Path(f"{name}.lock") if name and name != ":memory:" else None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver must not begin transactions of its own: they would be deferred.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"busy_timeout = {LOCK_WAIT_MS}",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediately(connection: Connection) -> None:
    # A deferred transaction fails where it turns from reading to writing while another writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
