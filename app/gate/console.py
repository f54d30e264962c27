"""Use cases of an operator with direct access to the database; the gate may be running."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.clock import Clock
from app.core.anchor import Anchor
from app.core.audit import Checkpoint
from app.core.compiled import CompiledPolicies
from app.gate import keys
from app.gate.anchor_check import AnchorsFound, compare_anchors
from app.gate.archive import ArchiveFound, chosen_folder, verify_stretches
from app.gate.backtest import Backtested, BacktestRequest, backtest
from app.gate.backtest import Progress as BacktestProgress
from app.gate.ids import new_id
from app.gate.keys import KeyRequest
from app.gate.pace import Pace
from app.gate.pages_ahead import helper_for
from app.gate.record import Verification, exported, verify
from app.gate.replay import Replay, replay
from app.gate.retention import Progress, Pruned, Pruner
from app.store.copy import copy
from app.store.store import Store

if TYPE_CHECKING:
    from app.store.records import KeyRecord


_PACES: Final = (Pace(target=50_000, rest=0, most=5_000), Pace(target=4_000, rest=3))
"""Reading is beside the gate, in a process of its own; deletions take turns with its claims."""


class Console:
    """The keys, the record and the decisions of a database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Work on an open store; see `opened`."""
        self._store = store
        self._clock = clock

    def now(self) -> int:
        """Return the time that keys are made and expire by; see `app.gate.keys.present`."""
        return keys.present(self._store, self._clock)

    def create_key(self, wanted: KeyRequest, by: str) -> "tuple[KeyRecord, str]":
        """Make a key; see `app.gate.keys.create`."""
        return keys.create(self._store, self._clock, wanted, by)

    def list_keys(self) -> "list[KeyRecord]":
        """Return all keys, revoked and expired ones included, oldest first."""
        return keys.all_of_them(self._store)

    def revoke_key(self, key_id: str, by: str) -> "KeyRecord":
        """Revoke a key; see `app.gate.keys.revoke`."""
        return keys.revoke(self._store, self._clock, key_id, by)

    def verify(self, against: Checkpoint | None, progress: Callable[[int, int], None] | None) -> Verification:
        """Verify the whole record and the tables; see `app.gate.record.verify`."""
        return verify(self._store.query, against, progress, partial(helper_for, self._store.url))

    def compare_anchors(self, anchors: Sequence[Anchor]) -> AnchorsFound:
        """Compare the record with anchors; see `app.gate.anchor_check.compare_anchors`."""
        return compare_anchors(self._store.query, anchors)

    def export(self) -> Iterator[dict[str, Any]]:
        """Yield every event, and at the end a checkpoint; see `app.gate.record.exported`."""
        return exported(self._store.query)

    def verify_archive(self, folder: Path, progress: Callable[[int], None] | None) -> ArchiveFound:
        """Verify that an archive has all that was pruned; see `app.gate.archive.verify_stretches`."""
        stretches = self._store.query(lambda view: view.pruned_stretches())
        return verify_stretches(folder, stretches, progress)

    def archive(self, chosen: str | None) -> Path | None:
        """Return the folder of the archive; see `app.gate.archive.chosen_folder`."""
        return chosen_folder(chosen, self._store.folder)

    def prune(
        self, keep: int, folder: Path | None, progress: Progress | None, *, force: bool = False
    ) -> Pruned:
        """Prune the record, beside a gate that may be running; see `app.gate.retention.Pruner.prune`."""
        return self._pruner(folder, progress).prune(keep, force=force)

    def count_prunable(self, keep: int, *, force: bool = False) -> int:
        """Return the number of events that `prune` would prune."""
        return self._pruner(None, None).count(keep, force=force)

    def count_waiting(self, keep: int) -> int:
        """Return how many old events `prune` leaves unless it is forced, as the SIEM lacks them."""
        return self._pruner(None, None).waiting(keep)

    def _pruner(self, folder: Path | None, progress: Progress | None) -> Pruner:
        holder = new_id("prn", self._clock.microseconds())
        return Pruner(_Direct(self._store), self._clock, holder, folder, _PACES, progress)

    def backtest(
        self,
        candidate: CompiledPolicies,
        wanted: BacktestRequest,
        stop: Callable[[], bool],
        progress: Callable[[BacktestProgress], None],
    ) -> Backtested:
        """Judge the decisions of a period by a candidate; see `app.gate.backtest.backtest`."""
        return backtest(self._store.query, candidate, wanted, stop, progress)

    def replay(self, decision_id: str) -> Replay:
        """Evaluate a recorded decision again; see `app.gate.replay.replay`."""
        return self._store.query(partial(replay, decision_id=decision_id))


class _Direct:
    """The store of another process, used in turns with it."""

    def __init__(self, store: Store) -> None:
        self.query = store.query
        self.transact = store.transact
        self.transact_again = partial(store.transact, flushed=False)

    @staticmethod
    def pause(microseconds: int) -> None:
        """Let a gate beside have its turn."""
        time.sleep(microseconds / 1_000_000)


@contextlib.contextmanager
def opened(url: str, clock: Clock, deadline: float) -> Iterator[Console]:
    """Open the database of a URL, which must exist.

    Args:
        url: of the database.
        clock: the source of the time.
        deadline: seconds that any one step may take.

    Raises:
        DatabaseUrlError: the URL names no database that can be used.
        NoDatabaseError: there is none.
        StoreUnavailableError: the database can't be opened.
    """
    store = Store.open(url, deadline=deadline, create=False)
    try:
        yield Console(store, clock)
    finally:
        store.let_go()


def copy_database(source_url: str, target_url: str) -> dict[str, int]:
    """Copy a database into an empty one and return the number of rows by table; see `app.store.copy`."""
    return copy(source_url, target_url)
