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
        self._committing = False

    def transact(self, work: Callable[[Connection], Found]) -> Found:
        """Do work in one transaction, committed when this returns.

        A connection that was kept may have been lost since: the server was restarted, or turned read-only
        and its place was taken by another. Then the work is done once more on a fresh one, provided that
        ``COMMIT`` was not yet said, so that nothing of it can have been written.
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
        """Let go of the connection."""
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
        # Not before the end of the pipeline: only there is it known that it was committed.
        return result

    def _drop_if_gone(self) -> bool:
        """Give up a connection that leads nowhere any more; say whether there still is one."""
        if self._connection is not None and not self._database.is_present(self._connection):
            self.drop()
        return self._connection is not None
