"""PostgreSQL: for several replicas. Every wait for it has a deadline on our side."""

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from sqlalchemy import URL, create_engine, event

from app.store.connection import Connection
from app.store.database import Database, too_long
from app.store.deadlines import Deadlines
from app.store.errors import DatabaseUrlError

_CONNECT_TIMEOUT: Final = 2
"""Seconds; the least that the driver takes."""

_SCHEMA_LOCK: Final = 0x667265657A65
"""The advisory lock of whoever changes the schema: "freeze" in ASCII."""

_LOCK_TRIES: Final = 600
_LOCK_PAUSE: Final = 0.1


class PostgreSQL(Database):
    """A database on a server."""

    BEGIN_WRITING = "BEGIN"
    BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: URL, lock_wait: float) -> None:
        """Use the database of a URL; nothing on it takes longer than `lock_wait` seconds."""
        self._lock_wait = lock_wait
        self._deadlines = Deadlines()
        self._connect = partial(_connect, url, lock_wait)
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            creator=self._connect,
            # As the server itself writes them; see `_connect`.
            paramstyle="numeric_dollar",
            pool_size=4,
            max_overflow=4,
            pool_timeout=lock_wait,
            pool_pre_ping=False,
            hide_parameters=True,
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self.BEGIN_WRITING))
        super().__init__(engine)

    @property
    def name(self) -> str:
        """Where it is, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """The server knows; connecting tells."""
        return True

    def create(self) -> None:
        """Nothing: the database is made by whoever runs the server."""

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Take an advisory lock for as long as this connection lasts."""
        connection = self.connect()
        try:
            for _ in range(_LOCK_TRIES):
                if connection.raw.execute("SELECT pg_try_advisory_lock($1)", [_SCHEMA_LOCK]).fetchone()[0]:
                    break
                time.sleep(_LOCK_PAUSE)
            else:
                raise too_long()
            yield
        finally:
            connection.raw.close()

    def connect(self) -> Connection:
        """Connect to the server."""
        return Connection(self._connect(), self.engine.dialect)

    def is_present(self, connection: Connection) -> bool:
        """Whether the connection has not been closed from this end."""
        return not connection.raw.closed

    def pipelined(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Send the statements of a transaction one after the other, and wait for their results together."""
        return connection.pipelined(connection.raw.pipeline())

    def deadline(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Break the connection if it is not through in time.

        The server's own ``statement_timeout`` does not help where the server does not run.
        """
        return self._deadlines.on(connection.raw.fileno(), self._lock_wait)


def refuse_odd(url: URL) -> None:
    """Raise `DatabaseUrlError` unless a URL names a database."""
    if not url.database:
        raise DatabaseUrlError("the database URL names no database: postgresql://user@host/freezegate")


def _connect(url: URL, lock_wait: float) -> Any:
    # 0.1 s to import, and only those on PostgreSQL need it.
    import psycopg

    milliseconds = int(lock_wait * 1_000)
    arguments: dict[str, Any] = url.translate_connect_args(username="user", database="dbname")
    given: dict[str, Any] = {
        "application_name": "freezegate",
        "connect_timeout": _CONNECT_TIMEOUT,
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c timezone=UTC",
        **url.query,
    }
    # The usual cursor looks through every statement for placeholders: at hundreds of them, that costs
    # more than the server takes.
    return psycopg.connect(**arguments, **given, autocommit=True, cursor_factory=psycopg.RawCursor)
