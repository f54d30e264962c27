"""The store: opened at start, one for all use cases."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.store import decisions, policy_revisions
from app.store.connection import KeptConnection
from app.store.engine import is_about_a_row, open_engine, reading
from app.store.errors import StoreUnavailableError
from app.store.records import DecisionRecord, PolicyRevision, Recorded
from app.store.schema import HEAD, upgrade, version_of
from app.store.writer import DEADLINE, Writer

_logger: Final = logging.getLogger("freezegate.store")
Found = TypeVar("Found")

_Claim = tuple[DecisionRecord, PolicyRevision | None]


class Store:
    """What was decided, and by which policies. Its plain methods wait for the disk: call them in a thread."""

    def __init__(self, engine: Engine, deadline: float) -> None:
        """Use `Store.open`."""
        self._engine = engine
        self._kept: set[str] = set()
        self._connection = KeptConnection(engine, dropped=self._kept.clear)
        self._writer: Writer[_Claim, Recorded] = Writer(self._commit, deadline=deadline)
        self._failing = False

    @classmethod
    def open(cls, url: str, *, deadline: float = DEADLINE) -> "Store":
        """Open the database of a URL, and bring it to the present schema.

        Args:
            url: such as ``sqlite:///freezegate.db``.
            deadline: seconds that a claim waits to be recorded.

        Raises:
            DatabaseUrlError: the URL names no database that can be used.
            StoreUnavailableError: the database can't be opened.
        """
        # Whoever waits for a lock should learn that it failed before the deadline says so.
        engine = open_engine(url, lock_wait=deadline * 3 / 4)
        try:
            upgrade(engine)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError(
                f"the database {engine.url.database} can't be opened: {_cause(error)}"
            ) from error
        return cls(engine, deadline)

    async def record(self, claim: DecisionRecord, policies: PolicyRevision | None = None) -> Recorded:
        """Record a decision; returns once it is on disk.

        Args:
            claim: the decision.
            policies: that it was made by, unless the store `keeps` them: they go in together with it.

        Raises:
            IdempotencyConflictError: its key stands for another request.
            StoreUnavailableError: it was not recorded.
        """
        return await self._writer.write((claim, policies))

    def keeps(self, revision: str) -> bool:
        """Whether the text of a policy set is known to be kept; does not look into the database."""
        return revision in self._kept

    def remember_revision(self, revision: str, sources: str, now: int) -> None:
        """Keep the text of a policy set, so that what it decides can be evaluated again.

        Raises:
            StoreUnavailableError: it could not be kept.
        """
        kept = PolicyRevision(revision, now, sources)
        try:
            with self._engine.begin() as connection:
                policy_revisions.keep(connection, [kept])
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError(f"the policies could not be kept: {_cause(error)}") from error
        self._kept.add(revision)

    def sources(self, revision: str) -> str | None:
        """The text of a policy set that was in force once."""
        return self._read(lambda connection: policy_revisions.sources(connection, revision))

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """A recorded decision."""
        return self._read(lambda connection: decisions.find(connection, decision_id))

    def latest_decisions(self, limit: int, before: str | None = None) -> list[DecisionRecord]:
        """The newest recorded decisions, newest first; with `before`, those older than that id."""
        return self._read(lambda connection: decisions.latest(connection, limit, before))

    def count_decisions(self) -> int:
        """How many decisions are recorded; looks at all of them."""
        return self._read(decisions.count)

    def ping(self) -> bool:
        """Whether the database can be read, and a transaction that writes could begin."""
        try:
            with self._engine.begin() as connection:
                return version_of(connection) == HEAD
        except (SQLAlchemyError, OSError):
            return False

    async def close(self) -> None:
        """Finish the claims that are waiting, and let go of the database."""
        if await self._writer.close():
            # The last one to leave moves the log into the database: that takes a while.
            await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._connection.drop()
        self._engine.dispose()

    def _commit(self, claims: Sequence[_Claim]) -> Sequence[Recorded | Exception]:
        """Record a batch; runs on the writer's thread."""
        try:
            results = self._record(claims)
        except (SQLAlchemyError, OSError) as error:
            if not self._failing:
                _logger.warning("decisions can't be recorded: %s", _cause(error))
            self._failing = True
            raise StoreUnavailableError("the decision could not be recorded") from error
        if self._failing:
            _logger.info("decisions are recorded again")
        self._failing = False
        self._kept.update(policies.revision for _, policies in claims if policies is not None)
        return results

    def _record(self, claims: Sequence[_Claim]) -> list[Recorded | Exception]:
        try:
            return self._connection.transact(lambda connection: _record_all(connection, claims))
        except Exception as error:
            if not is_about_a_row(error):
                raise
            return self._connection.transact(lambda connection: _record_each(connection, claims))

    def _read(self, query: Callable[[Connection], Found]) -> Found:
        try:
            with reading(self._engine) as connection:
                return query(connection)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError("the database can't be read") from error


def _record_all(connection: Connection, claims: Sequence[_Claim]) -> list[Recorded | Exception]:
    new = [policies for _, policies in claims if policies is not None]
    if new:
        policy_revisions.keep(connection, new)
    return decisions.record(connection, [claim for claim, _ in claims])


def _record_each(connection: Connection, claims: Sequence[_Claim]) -> list[Recorded | Exception]:
    """Record what can be, one by one, where something in a batch can't."""
    results: list[Recorded | Exception] = []
    for claim in claims:
        try:
            with connection.begin_nested():
                results += _record_all(connection, [claim])
        except Exception as error:
            if not is_about_a_row(error):
                raise
            _logger.warning("decision %s can't be recorded: %s", claim[0].id, _cause(error))
            results.append(StoreUnavailableError("the decision could not be recorded"))
    return results


def _cause(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    return str(getattr(error, "orig", None) or error)
