"""The store: one for the process, opened at start."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from app.core.errors import FreezegateError
from app.store.connection import Connection
from app.store.errors import NoDatabaseError, StoreUnavailableError
from app.store.open import open_database
from app.store.passages import SharedPassages, Used
from app.store.rollups import Numbers
from app.store.schema import HEAD, stored_version, upgrade, version_of
from app.store.transaction import Transaction
from app.store.view import View
from app.store.writer import DEADLINE, Writer
from app.store.writer_connection import KeptConnection

_logger: Final = logging.getLogger("freezegate.store")
_READERS: Final = 4

Found = TypeVar("Found")
Work = Callable[[Transaction], Any]
"""A unit of work in a transaction. It may run more than once; only its last run is committed."""


class Watcher(Protocol):
    """An observer of writes; its methods must not raise."""

    def batch(self, works: int) -> contextlib.AbstractContextManager[None]:
        """Wrap the writing of a batch; on the writer's thread."""
        ...

    def recorded(self, kinds: Sequence[str]) -> None:
        """Note that events of these kinds were committed; on the writer's thread."""
        ...

    def refused(self) -> None:
        """Note that a write failed or timed out; on the event loop."""
        ...


class _Nobody:
    """The default observer; ignores everything."""

    def batch(self, _works: int) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def recorded(self, kinds: Sequence[str]) -> None:
        pass

    def refused(self) -> None:
        pass


class _Item(NamedTuple):
    work: Work
    token: str | None


class _Kept(NamedTuple):
    """The texts of policies that are known to be stored, as of a version of the store."""

    version: int
    revisions: frozenset[str]


class _SpoiltError(Exception):
    """A work of a batch raised after it had written: the batch must not be committed."""


class Store:
    """The database and its threads.

    `write` and `read` are for the event loop and have deadlines; `transact` and `query` do the same in
    the calling thread.
    """

    def __init__(self, url: str, deadline: float) -> None:
        """Use `Store.open`."""
        self.url = url
        # A lock wait should fail, with its reason, before the deadline does.
        self._database = open_database(url, lock_wait=deadline * 3 / 4)
        self._deadline = deadline
        self._kept = _Kept(-1, frozenset())
        self._numbers = Numbers()
        self._passages = SharedPassages()
        self._connection = KeptConnection(self._database, dropped=self._forget)
        self._writer: Writer[_Item, Any] = Writer(self._commit, deadline=deadline)
        self._readers = ThreadPoolExecutor(_READERS, "freezegate-reader")
        self._failing = False
        self._watcher: Watcher = _Nobody()

    @property
    def folder(self) -> Path | None:
        """The folder of the database file; None on a server."""
        return self._database.folder

    def watched_by(self, watcher: Watcher) -> None:
        """Report writes to `watcher` from now on."""
        self._watcher = watcher

    @classmethod
    def open(cls, url: str, *, deadline: float = DEADLINE, create: bool = True) -> "Store":
        """Open the database of a URL, and migrate its schema.

        Args:
            url: such as ``sqlite:///freezegate.db`` or ``postgresql://user@host/freezegate``.
            deadline: seconds that a call waits for the database.
            create: create a missing database. An empty file or database counts as missing.

        Raises:
            DatabaseUrlError: the URL names no usable database.
            NoDatabaseError: it is missing, and `create` is False.
            StoreUnavailableError: the database can't be opened.
        """
        store = cls(url, deadline)
        database = store._database
        try:
            if not create and stored_version(database) is None:
                store.let_go()
                raise NoDatabaseError(database.name)
            upgrade(database)
        except database.failures as error:
            raise StoreUnavailableError(
                f"the database {database.name} can't be opened: {_cause(error)}"
            ) from error
        return store

    async def write(self, work: Callable[[Transaction], Found], *, token: str | None = None) -> Found:
        """Do work in a transaction shared with other calls; return once it is on disk.

        Args:
            work: the work; see `Work`.
            token: the hash of an override token that it looks up; those of a batch are looked up together.

        Raises:
            FreezegateError: raised by `work`; then nothing of it was written.
            StoreUnavailableError: it was not written, or not in time.
        """
        try:
            return cast("Found", await self._writer.write(_Item(work, token)))
        except StoreUnavailableError:
            self._watcher.refused()
            raise

    def transact(self, work: Callable[[Transaction], Found], *, flushed: bool = True) -> Found:
        """Do work in a transaction of its own, in the calling thread; see `write`.

        Without `flushed`, a failure of the machine may undo it; a later transaction brings it to disk.
        """
        database = self._database
        try:
            with database.writing() if flushed else database.writing_unflushed() as connection:
                transaction = Transaction(connection)
                result = work(transaction)
                transaction.flush()
        except self._database.failures as error:
            raise StoreUnavailableError(f"the database can't be written: {_cause(error)}") from error
        self._note_kept(transaction.keys_version, transaction.kept)
        return result

    async def read(self, query: Callable[[View], Found]) -> Found:
        """Run a query on one state of the database; its whole result is read before this returns.

        Raises:
            StoreUnavailableError: it can't be read, or not in time.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline):
                return await loop.run_in_executor(self._readers, self.query, query)
        except TimeoutError:
            raise StoreUnavailableError("the database can't be read in time") from None
        except RuntimeError:
            raise StoreUnavailableError("the gate is stopping") from None

    def query(self, query: Callable[[View], Found]) -> Found:
        """Run a query on one state of the database, in the calling thread; see `read`."""
        try:
            with self._database.reading() as connection:
                return query(View(connection))
        except self._database.failures as error:
            raise StoreUnavailableError(f"the database can't be read: {_cause(error)}") from error

    def keeps(self, revision: str, version: int | None = None) -> bool:
        """Return whether the text of a policy set is known to be stored, without a query.

        Args:
            revision: of the set.
            version: the `Transaction.keys_version` of now: a text may have been pruned since an earlier one.
                None takes what was known last.
        """
        kept = self._kept
        return revision in kept.revisions and version in (None, kept.version)

    async def ping(self) -> bool:
        """Return whether the database can be read and written."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline):
                return await loop.run_in_executor(self._readers, self.answers)
        except (TimeoutError, RuntimeError):
            return False

    def answers(self) -> bool:
        """Do the work of `ping` in the calling thread."""
        try:
            if self._takes_writes():
                return True
            self._database.renew()
            return self._takes_writes()
        except self._database.failures:
            return False

    def _takes_writes(self) -> bool:
        with self._database.writing() as connection:
            return version_of(connection) == HEAD and self._database.takes_writes(connection)

    async def close(self) -> None:
        """Finish the waiting writes, and close the database."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        if await self._writer.close():
            # Closing the last connection checkpoints the WAL: that takes a while.
            await asyncio.to_thread(self.let_go)

    def let_go(self) -> None:
        """Close the connections, once all writes are done."""
        self._connection.drop()
        self._database.close()

    def _forget(self) -> None:
        """Forget what is in the database: another one may stand there, or a transaction have failed."""
        self._kept = _Kept(-1, frozenset())
        self._numbers.clear()
        self._passages.clear()

    def _note_kept(self, version: int, revisions: set[str]) -> None:
        """Note the texts that are stored; what was known of an earlier version may have been pruned."""
        before = self._kept
        if version < before.version:
            return
        known = before.revisions if version == before.version else frozenset[str]()
        self._kept = _Kept(version, known | revisions)

    def _commit(self, works: Sequence[_Item]) -> Sequence[Any]:
        """Run a batch of works; called on the writer's thread."""
        try:
            with self._watcher.batch(len(works)):
                results = self._write(works)
        except self._database.failures as error:
            if not self._failing:
                _logger.warning("decisions can't be recorded: %s", _cause(error))
            self._failing = True
            raise StoreUnavailableError("the decision could not be recorded") from error
        if self._failing:
            _logger.info("decisions are recorded again")
        self._failing = False
        return results

    def _write(self, works: Sequence[_Item]) -> list[Any]:
        try:
            return self._together(works)
        except _SpoiltError as error:
            if len(works) == 1:
                return [error.__cause__]
        except self._database.row_failures as error:
            if len(works) == 1:
                return [self._unwritable(error)]
        # A work of the batch can't be written: do each by itself, so that it doesn't fail the others.
        return [result for work in works for result in self._write([work])]

    def _together(self, works: Sequence[_Item]) -> list[Any]:
        kept: set[str] = set()
        kinds: list[str] = []
        used: Used = {}
        version = -1

        def do(connection: Connection) -> list[Any]:
            nonlocal used, version
            transaction = Transaction(connection, self._numbers, self._passages)
            tokens = {item.token for item in works if item.token}
            if tokens:
                transaction.look_up_tokens(sorted(tokens))
            results = [_do(transaction, item.work) for item in works]
            transaction.flush()
            kept.update(transaction.kept)
            kinds.extend(transaction.kinds)
            used, version = transaction.used, transaction.keys_version
            return results

        results = self._connection.transact(do)
        self._note_kept(version, kept)
        self._passages.note(used)
        self._watcher.recorded(kinds)
        return results

    def _unwritable(self, error: Exception) -> StoreUnavailableError:
        _logger.warning("something can't be recorded: %s", _cause(error))
        return StoreUnavailableError("the decision could not be recorded")


def _do(transaction: Transaction, work: Work) -> Any:
    before = transaction.changes
    try:
        return work(transaction)
    except FreezegateError as error:
        if transaction.changes != before:
            raise _SpoiltError from error
        return error


def _cause(error: Exception) -> str:
    """Return the message of the database, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror}: {cause.filename}" if cause.filename else cause.strerror
    return str(cause).partition("\n")[0]
