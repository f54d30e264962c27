"""The connection of the writer's thread: kept open, and replaced after any error."""

from collections.abc import Callable
from typing import TypeVar

from app.store.connection import Connection
from app.store.database import Database

Found = TypeVar("Found")


class KeptConnection:
    """Run transactions on a persistent connection, replaced after any error.

    For one thread; not thread-safe.
    """

    def __init__(self, database: Database, dropped: Callable[[], None]) -> None:
        """Connect to `database` on first use; call `dropped` when a connection is given up."""
        self._database = database
        self._dropped = dropped
        self._connection: Connection | None = None
        self._committing = False

    def transact(self, work: Callable[[Connection], Found]) -> Found:
        """Run work in one transaction, committed when this returns.

        The connection may have been lost since: the server was restarted, or turned read-only in a failover.
        Then the work is done once more on a fresh one, provided that ``COMMIT`` was not sent, so that nothing
        of it can have been written.
        """
        kept = self._drop_if_gone()
        try:
            return self._attempt(work)
        except self._database.failures as error:
            if not kept or self._committing or not self._database.is_lost(error):
                raise
            self._database.renew()
        return self._attempt(work)

    def drop(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.raw.close()
            self._connection = None
            self._dropped()

    def _attempt(self, work: Callable[[Connection], Found]) -> Found:
        self._committing = False
        try:
            connection = self._connection = self._connection or self._database.connect()
            with self._database.deadline(connection), self._database.pipelined(connection):
                self._database.begin(connection, self._database.BEGIN_WRITING)
                result = work(connection)
                self._committing = True
                connection.say("COMMIT")
        except BaseException:
            self.drop()
            raise
        # Only the end of the pipeline tells whether it was committed.
        return result

    def _drop_if_gone(self) -> bool:
        """Close a connection that no longer leads to the database; return whether one is left."""
        if self._connection is not None and not self._database.is_present(self._connection):
            self.drop()
        return self._connection is not None
