"""Pruning beside a running gate."""

import asyncio
from pathlib import Path

import pytest

from app.core.archive import ArchiveError
from app.core.decision import Question
from app.core.instant import DAY
from app.gate.archive import chosen_folder
from app.gate.claim import Claim
from app.gate.console import Console
from app.gate.errors import StoreUnavailableError
from app.gate.event_feed import SIEM, EventFeed
from app.gate.pruning import Pruning, Retention
from app.gate.record import verify
from app.gate.retention import WAITS_FOR_SIEM, PruneError, Pruner
from app.server import periodic
from app.settings import SettingsError
from tests.gate.conftest import Gate
from tests.gate.pruning import KEEP, LONG, files_of, fill, grow_old

pytestmark = pytest.mark.anyio


def pruning_of(gate: Gate, folder: Path | None, keep: int | None = KEEP) -> Pruning:
    return Pruning(gate.store, gate.clock, "one", None if keep is None else Retention(keep, folder))


def gate_feed(gate: Gate) -> EventFeed:
    return EventFeed(gate.store, gate.clock, SIEM, "one", from_start=True)


async def test_what_is_old_is_pruned_beside_claims(gate: Gate, tmp_path: Path) -> None:
    await fill(gate, 12)
    pruning = pruning_of(gate, tmp_path / "archive")
    assert await pruning.look() is None
    assert (pruning.state.oldest_at, pruning.state.pruned_at) == (gate.clock.at, None)
    await grow_old(gate)

    async def claim() -> None:
        for _ in range(20):
            await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)

    found, _ = await asyncio.gather(pruning.look(), claim())
    assert found is not None
    assert pruning.state.events == found.events > 20
    assert (pruning.state.oldest_at, pruning.state.pruned_at) == (gate.clock.at - 2 * DAY, gate.clock.at)
    assert verify(gate.store.query).whole
    assert len(files_of(tmp_path / "archive")) == 1
    assert await pruning.look() is None
    pruning.stop()


async def test_a_few_events_wait_for_the_rest_of_their_day(gate: Gate) -> None:
    await fill(gate, 1)
    pruning = pruning_of(gate, None)
    await grow_old(gate, KEEP + DAY - 1)
    assert await pruning.look() is None
    gate.clock.at += 2
    assert await pruning.look() is not None
    pruning.stop()


async def test_only_the_age_is_looked_up_where_all_is_kept(gate: Gate) -> None:
    await fill(gate, 1)
    gate.clock.at += LONG
    pruning = pruning_of(gate, None, keep=None)
    assert await pruning.look() is None
    assert pruning.state.oldest_at == gate.clock.at - LONG


async def let_another_prune(gate: Gate) -> None:
    """Fill the record with what is old, while another replica prunes it."""
    await fill(gate, 1)
    await grow_old(gate)
    now = gate.clock.at
    gate.store.transact(lambda transaction: transaction.take_named_lease("pruning", "other", now, now + 15))


async def test_another_replica_that_prunes_is_no_failure(gate: Gate) -> None:
    await let_another_prune(gate)
    pruning = pruning_of(gate, None)
    assert await pruning.look() is None
    assert pruning.state.failures == 0


async def test_what_waits_is_counted_again_where_another_replica_prunes(gate: Gate) -> None:
    await let_another_prune(gate)
    pruning = pruning_of(gate, None)
    pruning.state = pruning.state._replace(waiting=7)
    await pruning.look()
    assert pruning.state.waiting == 0


async def test_a_finished_pruning_counts_even_if_the_state_after_it_cannot_be_read(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(gate, 1)
    await grow_old(gate)

    def unavailable(*_: object) -> int:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(Pruner, "waiting", unavailable)
    pruning = pruning_of(gate, None)
    found = await pruning.look()
    assert found is not None
    assert pruning.state.events == found.events > 0
    assert pruning.state.failures == 0
    assert "the state after pruning can't be read" in caplog.text


async def test_a_failure_is_counted_and_stops_nothing_else(gate: Gate, tmp_path: Path) -> None:
    await fill(gate, 1)
    await grow_old(gate)
    (tmp_path / "archive").touch()
    pruning = pruning_of(gate, tmp_path / "archive")
    with pytest.raises(ArchiveError, match="can't be"):
        await pruning.look()
    assert pruning.state.failures == 1
    assert verify(gate.store.query).whole


async def test_a_clock_that_runs_ahead_prunes_nothing(gate: Gate, tmp_path: Path) -> None:
    await fill(gate, 1)
    gate.clock.at += LONG
    pruning = pruning_of(gate, tmp_path / "archive")
    for _ in range(2):
        with pytest.raises(PruneError, match="check the clock"):
            await pruning.look()
        # A claim is dated by the same clock, and proves nothing.
        await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    assert pruning.state.failures == 2
    gate.clock.at += DAY + 1
    assert await pruning.look() is not None
    pruning.stop()


async def test_an_archive_without_the_last_file_is_refused(gate: Gate, tmp_path: Path) -> None:
    await fill(gate, 1)
    await grow_old(gate)
    await pruning_of(gate, tmp_path / "one").look()
    await grow_old(gate)
    other = pruning_of(gate, tmp_path / "two")
    with pytest.raises(ArchiveError, match="two is not the archive"):
        await other.look()
    assert other.state.failures == 1
    assert await pruning_of(gate, tmp_path / "one").look() is not None


async def test_a_stopping_gate_leaves_the_rest_for_the_next_start(gate: Gate, tmp_path: Path) -> None:
    await fill(gate, 30)
    await grow_old(gate)
    pruning = pruning_of(gate, tmp_path / "archive")
    work = asyncio.create_task(pruning.look())
    await asyncio.sleep(0)
    pruning.stop()
    await work
    assert await pruning.look() is None
    assert pruning.state.failures == 0
    assert verify(gate.store.query).whole
    next_start = pruning_of(gate, tmp_path / "archive")
    await next_start.look()
    assert gate.store.query(lambda view: view.oldest_decision()) == gate.clock.at - 2 * DAY


def test_the_archive_is_beside_the_file_or_chosen() -> None:
    assert chosen_folder(None, Path("/data")) == Path("/data/archive")
    assert chosen_folder("/archive", Path("/data")) == Path("/archive")
    assert chosen_folder("none", Path("/data")) is None
    with pytest.raises(SettingsError, match="FREEZEGATE_ARCHIVE"):
        chosen_folder(None, None)


async def test_what_the_siem_lacks_stays_for_thirty_days_longer(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    feed = gate_feed(gate)
    await fill(gate, 3)
    assert await feed.take()
    first = await feed.batch()
    assert first is not None
    await feed.passed(first._replace(seq=5))
    pruning = pruning_of(gate, None)
    await grow_old(gate, KEEP + 2 * DAY)
    for _ in range(2):
        await periodic._prune(pruning)
    pruned = gate.store.query(lambda view: view.latest_pruned())
    assert pruned is not None
    assert pruned.seq == 5
    assert pruning.state.waiting == first.seq - 5
    assert [line.getMessage() for line in caplog.records].count("pruning waits for the SIEM") == 1
    await grow_old(gate, WAITS_FOR_SIEM - 3 * DAY)
    await pruning.look()
    assert gate.store.query(lambda view: view.latest_pruned()) == pruned
    await grow_old(gate, 3 * DAY)
    assert await pruning.look() is not None
    assert pruning.state.waiting == 0
    lost = await feed.batch()
    assert lost is not None
    assert lost.lost > 0
    pruning.stop()


async def test_what_the_siem_has_and_what_is_forced_does_not_wait(gate: Gate) -> None:
    feed = gate_feed(gate)
    await fill(gate, 3)
    assert await feed.take()
    batch = await feed.batch()
    assert batch is not None
    pruning = pruning_of(gate, None)
    await grow_old(gate, KEEP + 2 * DAY)
    assert await pruning.look() is None
    assert pruning.state.waiting > 5
    await feed.passed(batch)
    assert await pruning.look() is not None
    assert pruning.state.waiting == 0
    await fill(gate, 3)
    await grow_old(gate, KEEP + 2 * DAY)
    console = Console(gate.store, gate.clock)
    assert console.count_prunable(KEEP) < 5
    assert console.prune(KEEP, None, None, force=True).events > 5
    pruning.stop()
