"""The interface of `sqlite` and `postgresql`.

Only these three files know how the databases differ.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.store.connection import Connection
from app.store.errors import StoreUnavailableError


class Database(ABC):
    """A database; connections are made on first use."""

    BEGIN_WRITING: ClassVar[str]
    BEGIN_READING: ClassVar[str]
    """Begins a transaction that sees one state throughout and doesn't wait for writers."""

    folder: Path | None = None
    """The folder of a database that is a file; None on a server."""

    def __init__(self, engine: Engine) -> None:
        """Use the pool and the dialect of `engine`."""
        self.engine = engine
        self._closed = False
        dbapi = engine.dialect.dbapi
        assert dbapi is not None  # noqa: S101 - both drivers are there
        self.failures: tuple[type[Exception], ...] = (dbapi.Error, SQLAlchemyError, OSError)
        """The errors of an unusable database."""
        self.row_failures: tuple[type[Exception], ...] = (
            dbapi.IntegrityError,
            dbapi.DataError,
            dbapi.ProgrammingError,
            # Values that the driver can't bind raise other errors than its own.
            ValueError,
            OverflowError,
            TypeError,
        )
        """The errors of a statement that come from its values, not from the state of the database."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name used in messages; without a password."""

    @abstractmethod
    def exists(self) -> bool:
        """Return whether there is anything to connect to."""

    @abstractmethod
    def create(self) -> None:
        """Create an empty database if there is none; connecting never does."""

    @abstractmethod
    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of one process for as long as it changes the schema.

        Raises:
            StoreUnavailableError: another process has held it for a minute.
        """

    @abstractmethod
    def connect(self) -> Connection:
        """Open a connection outside the pool."""

    @abstractmethod
    def is_present(self, connection: Connection) -> bool:
        """Return whether an idle connection still leads to this database."""

    def is_lost(self, error: Exception) -> bool:  # noqa: ARG002 - a file does not go away by itself
        """Return whether an error means that a new connection may succeed."""
        return False

    def begin(self, connection: Connection, command: str) -> None:
        """Begin a transaction on a connection with `BEGIN_WRITING` or `BEGIN_READING`."""
        connection.say(command)

    def begin_unflushed(self, connection: Connection) -> None:
        """Begin a writing transaction whose commit doesn't wait for the disk."""
        self.begin(connection, self.BEGIN_WRITING)

    def end_unflushed(self, connection: Connection) -> None:  # noqa: B027 - nothing was changed
        """Let the next transactions wait for the disk again."""

    @abstractmethod
    def takes_writes(self, connection: Connection) -> bool:
        """Return whether a transaction that has begun could commit a write, as far as is known."""

    def renew(self) -> None:  # noqa: B027 - a file has no other
        """Replace idle connections: the URL may lead to another server by now."""

    @abstractmethod
    def deadline(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Limit everything on a connection to the deadline."""

    def pipelined(self, connection: Connection) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Pipeline the statements of a connection where the database is remote."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close all connections; one that is in use is closed when it is given back."""
        self._closed = True
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a transaction that only reads."""
        with self._running(self.BEGIN_READING, "ROLLBACK") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run a transaction that writes, on a connection of the pool."""
        with self._running(self.BEGIN_WRITING, "COMMIT") as connection:
            yield connection

    @contextlib.contextmanager
    def writing_unflushed(self) -> Iterator[Connection]:
        """Like `writing`, for what is done again if it is lost: it is on disk with a later transaction."""
        with self._pooled() as connection:
            self.begin_unflushed(connection)
            yield connection
            connection.say("COMMIT")
            self.end_unflushed(connection)

    @contextlib.contextmanager
    def _running(self, begin: str, end: str) -> Iterator[Connection]:
        with self._pooled() as connection:
            self.begin(connection, begin)
            yield connection
            connection.say(end)

    @contextlib.contextmanager
    def _pooled(self) -> Iterator[Connection]:
        pool = self.engine.pool
        pooled = pool.connect()
        try:
            connection = Connection(pooled.driver_connection, self.engine.dialect)
            with self.deadline(connection):
                yield connection
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()
            if self._closed:
                pool.dispose()


def too_long() -> StoreUnavailableError:
    """Return the error after waiting a minute to change the schema."""
    return StoreUnavailableError("another process has been changing the schema of the database for a minute")
