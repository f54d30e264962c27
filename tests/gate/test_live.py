"""What those who watch are told, on both databases."""

from pathlib import Path

import pytest

from app.core.decision import Question
from app.core.instant import HOUR
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.freezes import StartRequest
from app.gate.live import MOST_REPLAYED, MOST_SENT, Live, News
from tests.api.fakes import FakeClock
from tests.gate.conftest import BEFORE, OPS, Gate, gate_on

pytestmark = pytest.mark.anyio

INCIDENT = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, BEFORE + HOUR)


@pytest.fixture
def live(gate: Gate) -> Live:
    gate.clock.at = BEFORE
    return Live(gate.store, gate.policies, gate.cache, gate.clock)


async def claim(gate: Gate, times: int = 1) -> None:
    for _ in range(times):
        await gate.claims.claim(Claim(Question("api"), actor="ada"), gate.in_force)
    await gate.cache.refresh()


def names(news: list[News]) -> list[str]:
    return [each.name for each in news]


async def test_the_first_look_tells_nothing_and_each_event_is_told_once(gate: Gate, live: Live) -> None:
    await claim(gate)
    assert await live.look() == []
    await claim(gate, 2)
    told = await live.look()
    assert names(told) == ["decision", "decision"]
    assert told[0].data["actor"] == "ada"
    assert await live.look() == []


async def test_an_event_that_comes_after_the_look_began_is_not_told_twice(gate: Gate, live: Live) -> None:
    await live.look()
    await claim(gate)
    await gate.claims.claim(Claim(Question("web")), gate.in_force)
    assert [each.data["service"] for each in await live.look()] == ["api"]
    await gate.cache.refresh()
    assert [each.data["service"] for each in await live.look()] == ["web"]


async def test_of_too_many_the_latest_are_told_and_how_many_were_not(gate: Gate, live: Live) -> None:
    await live.look()
    await claim(gate, MOST_SENT + 5)
    told = await live.look()
    assert names(told) == ["missed", *["decision"] * MOST_SENT]
    assert told[0].data == {"events": 5}


async def test_who_was_away_for_too_long_is_told_what_was_missed(gate: Gate, live: Live) -> None:
    await claim(gate, MOST_REPLAYED + 7)
    await live.look()
    standing = live.standing
    state, missed, *told = live.beginning(standing, standing.seq - MOST_REPLAYED - 7)
    assert (state.name, state.seq, missed.data) == ("state", gate.cache.seq, {"events": 7})
    assert [each.seq for each in told] == list(range(standing.seq - MOST_REPLAYED + 1, standing.seq + 1))
    for seen in (None, standing.seq, 2**60):
        assert names(live.beginning(standing, seen)) == ["state"]


async def test_what_comes_between_who_begins_first_and_the_first_look_is_told(gate: Gate, live: Live) -> None:
    standing = live.standing
    await claim(gate)
    assert names(live.beginning(standing, None)) == ["state"]
    assert names(await live.look()) == ["decision"]


async def test_who_begins_is_told_up_to_where_everybody_has_been_told(gate: Gate, live: Live) -> None:
    await live.look()
    await claim(gate)
    standing = live.standing
    await gate.claims.claim(Claim(Question("web")), gate.in_force)
    assert names(live.beginning(standing, standing.seq)) == ["state"]
    assert [each.data["service"] for each in await live.look()] == ["api"]
    assert names(live.beginning(live.standing, standing.seq)) == ["state", "decision"]


async def test_the_state_is_told_when_time_alone_changes_it(gate: Gate, live: Live, clock: FakeClock) -> None:
    await live.look()
    clock.at += 1
    told = await live.look()
    assert names(told) == ["state"]
    assert [each["allowed"] for each in told[0].data["environments"]] == [False, True]


async def test_a_freeze_is_told_and_the_state_it_leads_to(gate: Gate, live: Live) -> None:
    await live.look()
    freeze = await gate.freezes.start(OPS, INCIDENT, gate.in_force)
    told = await live.look()
    assert names(told) == ["freeze", "state"]
    assert told[0].data["id"] == freeze.id
    assert told[0].data["by"] == "Alice"


async def test_while_the_store_is_away_the_state_says_so_and_nothing_is_lost(
    tmp_path: Path, policy_file: Path, clock: FakeClock
) -> None:
    file = tmp_path / "gate.db"
    gate = gate_on(f"sqlite:///{file}", policy_file, clock)
    live = Live(gate.store, gate.policies, gate.cache, clock)
    await live.look()
    await claim(gate)
    away = file.rename(tmp_path / "away.db")
    await gate.cache.refresh()
    told = await live.look()
    assert names(told) == ["state"]
    assert told[0].data["store_degraded"] is True
    away.rename(file)
    await gate.cache.refresh()
    assert names(await live.look()) == ["decision", "state"]
    await gate.store.close()
