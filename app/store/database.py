"""A database: what `sqlite` and `postgresql` each are, with the words of the other left out.

This, and those two files, are the only places that know how databases differ.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.store.connection import Connection
from app.store.errors import StoreUnavailableError


class Database(ABC):
    """Opened, but connected only when somebody asks for it."""

    BEGIN_WRITING: ClassVar[str]
    BEGIN_READING: ClassVar[str]
    """Begins a transaction that sees one state throughout, and waits for no writer."""

    def __init__(self, engine: Engine) -> None:
        """Use the pool and the dialect of `engine`."""
        self.engine = engine
        dbapi = engine.dialect.dbapi
        assert dbapi is not None  # noqa: S101 - both drivers are there
        self.failures: tuple[type[Exception], ...] = (dbapi.Error, SQLAlchemyError, OSError)
        """What a database that can't be used raises."""
        self.row_failures: tuple[type[Exception], ...] = (
            dbapi.IntegrityError,
            dbapi.DataError,
            dbapi.ProgrammingError,
            # What the driver can't bind at all are no errors of its own.
            ValueError,
            OverflowError,
            TypeError,
        )
        """What a statement raises for what it was to write, and not for the state of the database."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it; without a password."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is anything to connect to."""

    @abstractmethod
    def create(self) -> None:
        """Make an empty database where there is none; connecting never does."""

    @abstractmethod
    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Hold a lock that only one process at a time gets, for as long as the schema changes.

        Raises:
            StoreUnavailableError: another one has held it for a minute.
        """

    @abstractmethod
    def connect(self) -> Connection:
        """A connection of its own, outside the pool."""

    @abstractmethod
    def is_present(self, connection: Connection) -> bool:
        """Whether a connection that was kept open still leads to this database."""

    def is_lost(self, error: Exception) -> bool:  # noqa: ARG002 - a file does not go away by itself
        """Whether an error says no more than that a new connection may do better."""
        return False

    def begin(self, connection: Connection, command: str) -> None:
        """Begin a transaction on a connection, by `BEGIN_WRITING` or `BEGIN_READING`."""
        connection.say(command)

    @abstractmethod
    def takes_writes(self, connection: Connection) -> bool:
        """Whether what is written in a transaction that has begun could be committed, as far as is known."""

    def renew(self) -> None:  # noqa: B027 - a file has no other
        """Connect anew where connections were kept: the URL may lead to another server by now."""

    @abstractmethod
    def deadline(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """See to it that nothing on a connection takes longer than the deadline."""

    def pipelined(self, connection: Connection) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Do not wait for every statement on a connection, where the database is far away."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._pooled(self.BEGIN_READING, "ROLLBACK") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes, on a connection of the pool."""
        with self._pooled(self.BEGIN_WRITING, "COMMIT") as connection:
            yield connection

    @contextlib.contextmanager
    def _pooled(self, begin: str, end: str) -> Iterator[Connection]:
        pooled = self.engine.raw_connection()
        try:
            connection = Connection(pooled.driver_connection, self.engine.dialect)
            with self.deadline(connection):
                self.begin(connection, begin)
                yield connection
                connection.say(end)
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()


def too_long() -> StoreUnavailableError:
    """The error of whoever waited a minute to change the schema."""
    return StoreUnavailableError("another process has been changing the schema of the database for a minute")
