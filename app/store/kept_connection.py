"""The connection of the one thread that writes all the time: kept open, and opened anew after any error."""

from collections.abc import Callable
from typing import TypeVar

from app.store.connection import Connection
from app.store.database import Database

Found = TypeVar("Found")


class KeptConnection:
    """Runs transactions on a connection that it keeps, and opens a new one after any error.

    For the one thread that writes all the time; not safe for several at once.
    """

    def __init__(self, database: Database, dropped: Callable[[], None]) -> None:
        """Connect to `database` when it is first needed; call `dropped` when a connection was given up."""
        self._database = database
        self._dropped = dropped
        self._connection: Connection | None = None

    def transact(self, work: Callable[[Connection], Found]) -> Found:
        """Do work in one transaction, committed when this returns."""
        try:
            connection = self._present()
            with self._database.deadline(connection), self._database.pipelined(connection):
                connection.say(self._database.BEGIN_WRITING)
                result = work(connection)
                connection.say("COMMIT")
        except BaseException:
            self.drop()
            raise
        # Not before the end of the pipeline: only there is it known that it was committed.
        return result

    def drop(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.raw.close()
            self._connection = None
            self._dropped()

    def _present(self) -> Connection:
        if self._connection is not None and not self._database.is_present(self._connection):
            self.drop()
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection
