from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.gate.deliveries import KEPT_FOR, LONGEST_ID, Deliveries
from app.store.store import Store
from app.store.transaction import Transaction
from tests.api.fakes import FakeClock

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000
DAY = 86_400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    yield opened
    await opened.close()


async def test_a_delivery_is_noted_once_for_each_source(store: Store) -> None:
    deliveries = Deliveries(store, FakeClock(NOW))
    assert not await deliveries.is_known("github", "a")
    assert await deliveries.note("github", "a")
    assert await deliveries.is_known("github", "a")
    assert not await deliveries.note("github", "a")
    assert await deliveries.note("pagerduty", "a")


async def test_a_delivery_is_known_for_a_day_at_least_and_forgotten_later(store: Store) -> None:
    clock = FakeClock(NOW)
    deliveries = Deliveries(store, clock)
    assert await deliveries.note("github", "a")
    clock.at = NOW + DAY
    assert not await deliveries.note("github", "a")
    clock.at = NOW + KEPT_FOR + 1
    assert await deliveries.note("github", "a")


async def test_an_id_of_any_length_is_noted(store: Store) -> None:
    deliveries = Deliveries(store, FakeClock(NOW))
    for text in ("a" * LONGEST_ID, "a" * (LONGEST_ID + 1), "\x00", "\ud800", "\xe9"):
        assert await deliveries.note("github", text)
        assert not await deliveries.note("github", text)


async def test_the_oldest_deliveries_are_forgotten_beyond_a_number(store: Store) -> None:
    def note(transaction: Transaction) -> int:
        for number in range(5):
            transaction.note_delivery("github", str(number), NOW + number)
        return transaction.prune_deliveries(NOW, 3)

    assert await store.write(note) == 2
    deliveries = Deliveries(store, FakeClock(NOW + 5))
    assert [await deliveries.is_known("github", str(number)) for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
