from pathlib import Path

import pytest

from app.gate.leases import DURATION, Lease
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
