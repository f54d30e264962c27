"""A connection that is kept open, for the one thread that writes all the time."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from app.store.engine import is_present

Found = TypeVar("Found")


class KeptConnection:
    """Runs transactions on a connection that it keeps, and opens a new one after any error.

    A connection from the pool costs more than an insert. Not safe for several threads at once.
    """

    def __init__(self, engine: Engine, dropped: Callable[[], None]) -> None:
        """Connect by `engine` when it is first needed; call `dropped` when a connection was given up."""
        self._engine = engine
        self._dropped = dropped
        self._connection: Connection | None = None

    def transact(self, work: Callable[[Connection], Found]) -> Found:
        """Do work in one transaction, committed when this returns."""
        try:
            connection = self._present()
            with connection.begin():
                return work(connection)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
            self._dropped()

    def _present(self) -> Connection:
        if self._connection is not None and not is_present(self._connection):
            self.drop()
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection
