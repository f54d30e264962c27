import asyncio
from pathlib import Path

import pytest

from app.core.decision import Question
from app.core.instant import HOUR
from app.core.policy import Selector
from app.gate.check import check
from app.gate.claim import Claim
from app.gate.errors import StoreUnavailableError
from app.gate.freezes import StartRequest
from app.gate.status import status
from tests.api.fakes import FakeClock
from tests.gate.conftest import BEFORE, FRIDAY, OPS, Gate, gate_on, reload

pytestmark = pytest.mark.anyio

INCIDENT = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, BEFORE + HOUR)


def change(policy_file: Path) -> None:
    policy_file.write_text(FRIDAY.replace("mon 08:00", "mon 09:00"))


async def test_without_its_store_a_replica_answers_from_memory_says_so_and_recovers(
    tmp_path: Path, policy_file: Path, clock: FakeClock
) -> None:
    clock.at = BEFORE
    file = tmp_path / "gate.db"
    gate = gate_on(f"sqlite:///{file}", policy_file, clock)
    await gate.freezes.start(OPS, INCIDENT, gate.in_force)
    away = file.rename(tmp_path / "away.db")
    await gate.cache.refresh()
    clock.at += 5
    await gate.cache.refresh()
    assert gate.cache.degraded_since == BEFORE
    assert not check(gate.in_force, Question("api"), clock.at).allowed
    told = status(gate.in_force, None, gate.cache.degraded_since, clock.at, clock.at)
    assert told["store"] == {"degraded": True, "degraded_since": "2026-11-27T12:59:59Z"}
    assert "claims are refused" in told["warnings"][0]
    with pytest.raises(StoreUnavailableError):
        await gate.claims.claim(Claim(Question("api")), gate.in_force)
    away.rename(file)
    await gate.cache.refresh()
    assert gate.cache.degraded_since is None
    await gate.store.close()


async def test_a_start_without_the_store_fails(tmp_path: Path, policy_file: Path, clock: FakeClock) -> None:
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policy_file, clock)
    (tmp_path / "gate.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailableError):
        gate.cache.load()
    await gate.store.close()


async def test_freezes_outlast_a_reload_of_the_policies(gate: Gate, policy_file: Path) -> None:
    gate.clock.at = BEFORE
    await gate.freezes.start(OPS, INCIDENT, gate.in_force)
    change(policy_file)
    reload(gate.policies, BEFORE)
    assert not check(gate.in_force, Question("api"), BEFORE).allowed
    assert gate.in_force.freezes_version == 1


async def test_an_older_state_never_takes_the_place_of_a_newer_one(gate: Gate) -> None:
    gate.clock.at = BEFORE
    stale = gate.store.query(gate.cache._news)
    await gate.freezes.start(OPS, INCIDENT, gate.in_force)
    gate.policies.use_freezes((), 0)
    gate.cache._take(stale)
    assert len(gate.in_force.engine.freezes) == 1


async def test_what_was_lifted_long_ago_is_forgotten_and_what_was_lately_is_not(gate: Gate) -> None:
    gate.clock.at = BEFORE
    freeze = await gate.freezes.start(OPS, INCIDENT, gate.in_force)
    gate.clock.at += 60
    await gate.freezes.lift(OPS, freeze.id)
    assert len(gate.in_force.engine.freezes) == 1
    gate.clock.at = BEFORE + 60 + 366 * 86_400 + 1
    again = await gate.freezes.start(OPS, INCIDENT._replace(ends_at=None), gate.in_force)
    assert [each.id for each in gate.in_force.engine.freezes] == [again.id]


async def test_refreshing_without_news_changes_nothing(gate: Gate) -> None:
    before = gate.in_force
    await asyncio.gather(*(gate.cache.refresh() for _ in range(5)))
    assert gate.in_force is before
