"""The store: opened at start, one for all use cases."""

import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.store import decisions
from app.store.engine import open_engine
from app.store.errors import StoreUnavailableError
from app.store.records import DecisionRecord, Recorded
from app.store.schema import upgrade
from app.store.tables import policy_revisions
from app.store.writer import Writer

_logger: Final = logging.getLogger("freezegate.store")
Found = TypeVar("Found")


class Store:
    """What was decided, and by which policies."""

    def __init__(self, engine: Engine) -> None:
        """Use `Store.open`."""
        self._engine = engine
        self._writer: Writer[DecisionRecord, Recorded] = Writer(self._record)

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the database of a URL, and bring it to the present schema.

        Raises:
            DatabaseUrlError: the URL names no database that can be used.
            StoreUnavailableError: the database can't be opened.
        """
        engine = open_engine(url)
        try:
            upgrade(engine)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError(f"the database can't be opened: {_cause(error)}") from error
        return cls(engine)

    async def record(self, claim: DecisionRecord) -> Recorded:
        """Record a decision; returns once it is on disk.

        Raises:
            IdempotencyConflictError: its key stands for another request.
            StoreUnavailableError: it was not recorded.
        """
        return await self._writer.write(claim)

    def remember_revision(self, revision: str, sources: str, now: int) -> None:
        """Keep the text of a policy set, so that what it decides can be evaluated again.

        Raises:
            StoreUnavailableError: it could not be kept.
        """
        values = {"revision": revision, "first_loaded_at": now, "sources": sources}

        def keep(connection: Connection) -> None:
            connection.execute(insert(policy_revisions).values(values).on_conflict_do_nothing())

        self._within(keep)

    def sources(self, revision: str) -> str | None:
        """The text of a policy set that was in force once."""
        query = select(policy_revisions.c.sources).where(policy_revisions.c.revision == revision)
        return self._read(lambda connection: connection.execute(query).scalar())

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """A recorded decision."""
        return self._read(lambda connection: decisions.find(connection, decision_id))

    def latest_decisions(self, limit: int) -> list[DecisionRecord]:
        """The newest recorded decisions, newest first."""
        return self._read(lambda connection: decisions.latest(connection, limit))

    def ping(self) -> bool:
        """Whether the database answers."""
        try:
            self._read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        except StoreUnavailableError:
            return False
        return True

    async def close(self) -> None:
        """Finish the claims that are waiting, and let go of the database."""
        await self._writer.close()
        self._engine.dispose()

    def _record(self, claims: Sequence[DecisionRecord]) -> Sequence[Recorded | Exception]:
        return self._within(lambda connection: decisions.record(connection, claims))

    def _within(self, work: Callable[[Connection], Found]) -> Found:
        """Do work in one transaction, committed when it returns."""
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            _logger.warning("the database refuses a write: %s", _cause(error))
            raise StoreUnavailableError("the decision could not be recorded") from error

    def _read(self, query: Callable[[Connection], Found]) -> Found:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                return query(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailableError("the database can't be read") from error


def _cause(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    return str(getattr(error, "orig", None) or error)
