"""Pruning beside a running gate: on one replica at a time, at a pace that claims hardly notice."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from app.clock import Clock
from app.core.instant import DAY
from app.gate.errors import StoreUnavailableError
from app.gate.pace import Pace
from app.gate.retention import BusyPruningError, Pruned, PruneError, Pruner

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

Found = TypeVar("Found")

_logger: Final = logging.getLogger("freezegate")

_PACES: Final = (Pace(target=1_000, rest=4, most=500), Pace(target=3_000, rest=4, most=500))
"""Other threads wait for the interpreter while events are packed; claims, for deletions in their commit."""

_MANY: Final = 10_000
"""Events that are pruned at once; fewer wait until they are a day's."""


class Retention(NamedTuple):
    """The time that decisions are kept, and the place that they go to."""

    keep: int
    """Seconds."""
    folder: Path | None
    """The archive; None to prune without one."""


class PruningState(NamedTuple):
    """The state of pruning, for metrics."""

    oldest_at: int | None = None
    """The instant of the oldest decision, in seconds; None if there is none."""
    events: int = 0
    """The events that this replica pruned."""
    pruned_at: int | None = None
    """When the record was last pruned, by any replica, in seconds."""
    failures: int = 0
    """The runs of this replica that failed."""
    waiting: int = 0
    """The old events that stay for now, as the SIEM doesn't have them yet."""


class Pruning:
    """Prunes the record of a running gate. For use from one event loop."""

    def __init__(self, store: "Store", clock: Clock, own_name: str, retention: Retention | None) -> None:
        """Prune `store`.

        Args:
            store: of the gate.
            clock: the source of the time.
            own_name: of this replica, unique to it.
            retention: None: nothing is pruned, and only the age of the record is looked up.
        """
        self._store = store
        self._clock = clock
        self._own_name = own_name
        self._retention = retention
        self._stopping = Event()
        self._thread = ThreadPoolExecutor(1, "freezegate-pruning")
        self.state = PruningState()

    async def look(self) -> Pruned | None:
        """Prune what is old; return None if there is nothing, or another process does it.

        Raises:
            PruneError: the record is not whole.
            ArchiveError: the archive can't be written.
            StoreUnavailableError: the store can't be read or written.
        """
        self.state = await self._store.read(lambda view: _state(view, self.state))
        if self._retention is None or self._stopping.is_set():
            return None
        access = _Access(self._store, asyncio.get_running_loop(), self._stopping)
        pruner = Pruner(access, self._clock, self._own_name, self._retention.folder, _PACES)
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._thread, _prune, pruner, self._retention.keep)
        except BusyPruningError:
            found = None
        except Exception:
            if self._stopping.is_set():
                return None
            self.state = self.state._replace(failures=self.state.failures + 1)
            raise
        if found is not None:
            self.state = self.state._replace(events=self.state.events + found.events)
        await self._look_after(pruner, self._retention.keep)
        return found

    async def _look_after(self, pruner: Pruner, keep: int) -> None:
        """Look up the state after a run, whose result stands even if that fails."""
        loop = asyncio.get_running_loop()
        try:
            waiting = await loop.run_in_executor(self._thread, pruner.waiting, keep)
            state = self.state._replace(waiting=waiting)
            self.state = await self._store.read(lambda view: _state(view, state))
        except Exception:
            if not self._stopping.is_set():
                _logger.warning("the state after pruning can't be read", exc_info=True)

    def stop(self) -> None:
        """End the work that would delay a shutdown; the next start goes on with it."""
        self._stopping.set()
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Access:
    """The store of this process: transactions go with those of claims."""

    def __init__(self, store: "Store", loop: asyncio.AbstractEventLoop, stopping: Event) -> None:
        self.query = store.query
        self._store = store
        self._loop = loop
        self._stopping = stopping

    def transact(self, work: "Callable[[Transaction], Found]") -> Found:
        """Do work in the transaction of a batch of claims."""
        if self._loop.is_closed():
            raise StoreUnavailableError("the gate is stopping")
        return asyncio.run_coroutine_threadsafe(self._store.write(work), self._loop).result()

    def transact_again(self, work: "Callable[[Transaction], Found]") -> Found:
        """Do work in the transaction of a batch of claims, which waits for the disk anyway."""
        return self.transact(work)

    def pause(self, microseconds: int) -> None:
        """Let others have their turn."""
        if self._stopping.wait(microseconds / 1_000_000):
            raise PruneError("the gate is stopping")


def _state(view: "View", state: PruningState) -> PruningState:
    pruned = view.latest_pruned()
    return state._replace(
        oldest_at=view.oldest_decision(), pruned_at=pruned and pruned.pruned_at // 1_000_000
    )


def _prune(pruner: Pruner, keep: int) -> Pruned | None:
    """Prune if there are many events, or a day's, or rows that a run before has left."""
    if pruner.is_unfinished() or pruner.count(keep, _MANY) >= _MANY or pruner.count(keep + DAY, 1):
        return pruner.prune(keep)
    return None
