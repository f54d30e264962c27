from pathlib import Path

import pytest

from app.core.instant import HOUR
from app.gate.lease import DURATION
from app.gate.leases import Lease
from app.store.store import Store
from tests.api.fakes import FakeClock

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000


async def test_one_replica_holds_a_lease_until_it_ends_or_is_released(tmp_path: Path) -> None:
    store, clock = Store.open(f"sqlite:///{tmp_path / 'gate.db'}"), FakeClock(NOW)
    one, other = (Lease(store, clock, "holds", name) for name in ("one", "other"))
    elsewhere = Lease(store, clock, "argocd", "other")
    assert await one.take()
    assert not await other.take()
    assert await elsewhere.take()
    assert (one.held, other.held) == (True, False)
    clock.at = NOW + DURATION - 1
    assert await one.take()
    clock.at = NOW + DURATION + 1
    assert not await other.take()
    clock.at = NOW + 2 * DURATION
    assert not one.held
    assert await other.take()
    assert not await one.take()
    await one.release()
    await other.release()
    assert await one.take()
    await store.close()


async def test_a_lease_that_ends_far_in_the_future_is_one_of_nobody(tmp_path: Path) -> None:
    store, clock = Store.open(f"sqlite:///{tmp_path / 'gate.db'}"), FakeClock(NOW)
    one, other = (Lease(store, clock, "holds", name) for name in ("one", "other"))
    clock.at = NOW + HOUR
    assert await one.take()
    clock.at = NOW + HOUR - DURATION
    assert not await other.take(), "clocks differ by some seconds"
    clock.at = NOW
    assert await other.take()
    assert not await one.take()
    await store.close()


async def test_nobody_holds_a_lease_for_longer_because_the_clock_was_set_back(tmp_path: Path) -> None:
    store, clock = Store.open(f"sqlite:///{tmp_path / 'gate.db'}"), FakeClock(NOW)
    one, other = (Lease(store, clock, "holds", name) for name in ("one", "other"))
    assert await one.take()
    clock.at -= HOUR
    assert not one.held, "until it is renewed"
    assert await other.take()
    assert not await one.take()
    assert [one.held, other.held] == [False, True]
    clock.elapsed_us += DURATION * 1_000_000
    assert not other.held, "the clock was set back by as much as has passed"
    assert await other.take()
    clock.elapsed_us += 5_000_000
    clock.at -= 1
    assert await other.take()
    assert not await one.take()
    await store.close()
