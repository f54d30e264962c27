"""Whoever watches a store is told what was committed, and what could not be; overrides are counted."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import pytest

from app.core.override import Approval
from app.store.errors import StoreUnavailableError
from app.store.records import OverrideCounts
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import NOW, event, override, recording

pytestmark = pytest.mark.anyio


class Watcher:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.kinds: list[str] = []
        self.refusals = 0

    @contextlib.contextmanager
    def batch(self, works: int) -> Iterator[None]:
        yield
        self.batches.append(works)

    def recorded(self, kinds: Sequence[str]) -> None:
        self.kinds.extend(kinds)

    def refused(self) -> None:
        self.refusals += 1


async def test_a_watcher_is_told_of_batches_and_of_what_they_recorded(store: Store) -> None:
    watcher = Watcher()
    store.watched_by(watcher)
    await asyncio.gather(*(store.write(recording(number)) for number in range(20)))
    assert watcher.kinds == ["decision"] * 20
    assert sum(watcher.batches) == 20
    assert len(watcher.batches) < 20
    assert watcher.refusals == 0


async def test_what_was_not_committed_is_refused_and_not_recorded(store: Store) -> None:
    watcher = Watcher()
    store.watched_by(watcher)

    def unfit(transaction: Transaction) -> None:
        transaction.append(event(0)._replace(actor="\x00\ud800"))

    results = await asyncio.gather(
        store.write(recording(1)), store.write(unfit), store.write(recording(2)), return_exceptions=True
    )
    assert [isinstance(each, StoreUnavailableError) for each in results] == [False, True, False]
    assert (watcher.kinds, watcher.refusals) == (["decision"] * 2, 1)


async def test_overrides_are_counted_while_they_may_be_used(store: Store) -> None:
    def count(now: int = NOW) -> OverrideCounts:
        return store.query(lambda view: view.count_overrides(now))

    assert count() == (0, 0)
    for number in range(3):
        given = override(number)
        await store.write(lambda all_of_it, given=given: all_of_it.add_override(given, f"digest {given.id}"))  # type: ignore[misc]
    assert count() == (0, 3)
    await store.write(lambda all_of_it: all_of_it.approve("ovr_000001", Approval("Bob", NOW, "bob")))
    assert count() == (1, 2)
    await store.write(lambda all_of_it: all_of_it.revoke_override("ovr_000002", "alice", NOW))
    assert count() == (1, 1)
    assert count(NOW + 3_600) == (0, 0)
