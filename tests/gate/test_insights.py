"""Insights, on both databases: counted once for all who ask, one after the other, and for nobody else."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from app.core.decision import Question
from app.core.instant import DAY
from app.core.record_period import until
from app.gate.claim import Claim
from app.gate.errors import BusyError, StoreUnavailableError
from app.gate.insights import MOST_UNFINISHED, InsightsRequest, Measurement, insights
from app.gate.outcomes import Outcomes, Report
from app.identity.caller import ANONYMOUS
from tests.gate.conftest import AFTER, BEFORE, Gate

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.view import View

pytestmark = pytest.mark.anyio

Found = TypeVar("Found")
PERIOD = InsightsRequest(BEFORE - DAY, BEFORE + DAY)


class Doorkeeper:
    """The store, behind a door: nobody looks at it while it is shut."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self.looks = 0
        self.asked = threading.Event()
        self.open = threading.Event()
        self.fails = False

    def query(self, query: "Callable[[View], Found]") -> Found:
        self.looks += 1
        self.asked.set()
        assert self.open.wait(60)
        if self.fails:
            raise StoreUnavailableError("the database can't be read")
        return self._store.query(query)


class Counted(Measurement):
    """Insights of a store behind a door."""

    def __init__(self, gate: Gate) -> None:
        self.door = Doorkeeper(gate.store)
        self._in_force = gate.in_force
        super().__init__(cast("Store", self.door), gate.clock)

    def begin(self, **wanted: Any) -> "asyncio.Task[dict[str, Any]]":
        return asyncio.create_task(self.insights(self._in_force, PERIOD._replace(**wanted)))


@pytest.fixture
def counted(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Of a gate to which two decisions are many."""
    monkeypatch.setattr("app.gate.insights._LONG", 2)
    gate.clock.at = BEFORE
    return Counted(gate)


async def claimed(gate: Gate, result: str | None = None) -> None:
    answer = await gate.claims.claim(Claim(Question("api")), gate.in_force)
    own_id = answer.body.decode().partition('"decision_id": "')[2].partition('"')[0]
    if result is not None:
        outcomes = Outcomes(gate.store, gate.clock, gate.cache)
        await outcomes.report(ANONYMOUS, Report(own_id, result))


async def a_turn() -> None:
    """Let everything else on the event loop go on as far as it can."""
    for _ in range(9):
        await asyncio.sleep(0)


async def begun(counted: Counted) -> None:
    """Wait until a count stands before the door."""
    assert await asyncio.to_thread(counted.door.asked.wait, 60)


async def test_they_are_counted_from_what_is_stored(gate: Gate, counted: Counted) -> None:
    for _ in range(3):
        await claimed(gate, "failed")
    gate.clock.at = AFTER
    await claimed(gate)
    gate.clock.at += 3 * DAY  # after the period: what waited comes back
    await claimed(gate)
    counted.door.open.set()
    found = await counted.begin()
    assert found == insights(gate.store.query, gate.in_force, PERIOD, gate.clock.at)
    assert found["totals"]["decisions"] == 4
    assert [found["totals"][name] for name in ("reported", "failed", "unreported")] == [3, 3, 0]
    friday = found["policies"][0]
    assert (friday["id"], friday["denials"]) == ("friday", 1)
    assert (friday["waits"]["count"], friday["waits"]["median_s"]) == (1, 3 * DAY)


async def test_who_asks_for_the_same_shares_one_count(gate: Gate, counted: Counted) -> None:
    await claimed(gate, "failed")
    asking = [counted.begin() for _ in range(20)]
    await begun(counted)
    asking[0].cancel()
    counted.door.open.set()
    found = await asyncio.gather(*asking[1:])
    assert all(each == found[0] for each in found)
    assert found[0]["totals"]["failed"] == 1
    looks = counted.door.looks
    await counted.begin()
    assert counted.door.looks == 2 * looks


async def test_much_is_counted_once_a_minute_and_little_as_often_as_it_is_asked_for(
    gate: Gate, counted: Counted
) -> None:
    counted.door.open.set()
    gate.clock.at = until(BEFORE)
    await claimed(gate)
    assert (await counted.begin())["totals"]["decisions"] == 1
    await claimed(gate)
    assert (await counted.begin())["totals"]["decisions"] == 2
    await claimed(gate)
    gate.clock.at += 59
    kept = await counted.begin()
    assert (kept["totals"]["decisions"], kept["as_of"]) == (2, "2026-11-27T13:00:00Z")
    gate.clock.at += 1
    fresh = await counted.begin()
    assert (fresh["totals"]["decisions"], fresh["as_of"]) == (3, "2026-11-27T13:01:00Z")
    assert (await counted.begin(service="web"))["totals"]["decisions"] == 0


async def test_only_the_latest_are_kept(gate: Gate, counted: Counted) -> None:
    counted.door.open.set()
    await claimed(gate)
    await claimed(gate)
    for number in range(30):
        await counted.begin(start=BEFORE - DAY - number)
    assert len(counted._counts) <= 4
    gate.clock.at += 60
    await counted.begin(service="web")
    assert len(counted._counts) == 0


async def test_more_than_a_few_are_told_to_come_again(gate: Gate, counted: Counted) -> None:
    asking = [counted.begin(service=f"s-{number}") for number in range(MOST_UNFINISHED)]
    await begun(counted)
    with pytest.raises(BusyError):
        await counted.begin(service="one-more")
    shared = counted.begin(service="s-3")  # is being counted anyhow
    await a_turn()
    assert counted.door.looks == 1
    counted.door.open.set()
    assert len(await asyncio.gather(*asking, shared)) == MOST_UNFINISHED + 1
    assert (await counted.begin(service="one-more"))["totals"]["decisions"] == 0


async def test_what_nobody_waits_for_ends_and_makes_room(gate: Gate, counted: Counted) -> None:
    for _ in range(9):
        await claimed(gate)
    asking = [counted.begin(service=name) for name in ("api", *"abcdefg")]
    await begun(counted)
    for each in asking:
        each.cancel()
    await a_turn()
    others = [counted.begin(end=BEFORE + number) for number in range(1, MOST_UNFINISHED + 1)]
    await a_turn()
    assert counted.door.looks == 1  # one is left, and looks at its flag after this page
    counted.door.open.set()
    found = await asyncio.gather(*others)
    assert [each["totals"]["decisions"] for each in found] == [9] * MOST_UNFINISHED
    looks = counted.door.looks - 1
    await counted.begin()
    assert looks <= (counted.door.looks - 1 - looks) * MOST_UNFINISHED


async def test_who_asks_again_for_what_was_given_up_is_given_a_new_count(
    gate: Gate, counted: Counted
) -> None:
    for _ in range(3):
        await claimed(gate)
    impatient = counted.begin()
    await begun(counted)
    impatient.cancel()
    await a_turn()
    again = counted.begin()
    await a_turn()
    counted.door.open.set()
    assert (await again)["totals"]["decisions"] == 3


async def test_a_failure_is_told_to_all_who_wait_and_not_kept(gate: Gate, counted: Counted) -> None:
    asking = [counted.begin() for _ in range(3)]
    counted.door.fails = True
    counted.door.open.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in found] == [StoreUnavailableError] * 3
    counted.door.fails = False
    assert (await counted.begin())["totals"]["decisions"] == 0


async def test_a_gate_that_stops_waits_for_no_count(gate: Gate, counted: Counted) -> None:
    for _ in range(9):
        await claimed(gate)
    asking = [counted.begin(), counted.begin(service="api")]
    await begun(counted)
    counted.stop()
    counted.door.open.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in found] == [BusyError, BusyError]
    assert counted.door.looks == 1
