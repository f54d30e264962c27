"""A backtest equals a slow reading: each event by itself, decided by the engine of the candidate."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from app.core.backtest import Backtest, Fate, Group
from app.core.continuation import Continuation, ContinuationResult
from app.core.decision import Decision, Question
from app.core.engine import Engine
from app.core.errors import UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.policy import Effect, PolicySet
from app.gate.backtest import Backtested, BacktestRequest, backtest, switched_on
from app.gate.claim import step_of
from app.gate.in_force import InForce
from app.policies.load import load
from app.policies.source import Snapshot
from tests.api.fakes import FakeClock
from tests.gate.conftest import Gate, gate_on
from tests.gate.history import END, NEW, OLD, START, History

pytestmark = pytest.mark.anyio

EVERYTHING = BacktestRequest(START, END)
WITH_TOKEN = {Fate.FREE, Fate.TOKEN, Fate.NEVER}


class Slow(NamedTuple):
    """One decision, read by itself."""

    id: str
    fate: Fate
    by: tuple[str, ...]
    """The policies of the candidate that veto."""
    answer: dict[str, Any]
    result: str | None

    @property
    def hour(self) -> int:
        local = datetime.fromisoformat(self.answer["at"]).astimezone(ZoneInfo("America/New_York"))
        return local.weekday() * 24 + local.hour


def read_slowly(gate: Gate, candidate: str) -> Iterator[Slow]:
    snapshot = Snapshot.of(candidate)
    engine = load(snapshot).engine
    page = gate.store.query(lambda view: view.events_after(0, 100_000))
    results = {
        (outcome := json.loads(link.data)["outcome"])["id"]: outcome["result"]
        for link in page
        if link.kind == "outcome-reported"
    }
    for link in page:
        if link.kind == "decision":
            data = json.loads(link.data)
            own_id = data["answer"]["decision_id"]
            fate, by = slow_fate(data, engine, snapshot)
            yield Slow(own_id, fate, by, data["answer"], results.get(own_id))


def slow_fate(data: dict[str, Any], policies: Engine, snapshot: Snapshot) -> tuple[Fate, tuple[str, ...]]:
    answer = data["answer"]
    engine = policies.with_freezes([Freeze.from_data(each) for each in data["freezes"]])
    at = parse_instant(answer["at"])
    question = Question(answer["service"], answer["environment"], answer["change"], answer["duration_s"])
    try:
        decision = engine.decide(question, at)
    except UnknownNameError as error:
        if error.field != "service":
            return Fate.UNKNOWN, ()
        return _fate_of_refused(answer), ()
    told = answer["continues"]
    later = told is not None and told["result"] == "running"
    if later:
        running = Continuation(
            told["id"], ContinuationResult.RUNNING, told["first"], parse_instant(told["until"])
        )
        decision, _ = step_of(running, decision, InForce(engine, snapshot, at, ()))
    by = tuple(each.rule.id for each in decision.blocking if each.rule.kind == "policy")
    return _fate(answer, decision, later=later), by


def _fate_of_refused(answer: dict[str, Any]) -> Fate:
    if answer["outcome"] == "deny":
        return Fate.DENIED
    if (answer["continues"] or {}).get("result") == "running":
        return Fate.STEP_STOPPED
    return Fate.NEVER if answer["outcome"] == "override" else Fate.REFUSED


def _fate(answer: dict[str, Any], decision: Decision, *, later: bool) -> Fate:
    allowed = decision.allowed
    never = any(each.rule.overridable == "never" for each in decision.blocking)
    match answer["outcome"], later:
        case "deny", _:
            return Fate.ALLOWED if allowed else Fate.DENIED
        case "override", True:
            return Fate.STEP_STOPPED if never else Fate.STEP_KEPT
        case "override", False:
            return Fate.NEVER if never else Fate.FREE if allowed else Fate.TOKEN
        case _, True:
            return Fate.STEP_KEPT if allowed else Fate.STEP_STOPPED
        case _:
            return Fate.KEPT if allowed else Fate.STOPPED


async def lived(folder: Path, decisions: int, seed: int) -> Gate:
    file = folder / "policies.yaml"
    file.write_text(OLD)
    gate = gate_on(f"sqlite:///{folder / 'gate.db'}", file, FakeClock(START))
    await History(gate, seed).live(decisions)
    return gate


def fast(gate: Gate, candidate: str, wanted: BacktestRequest = EVERYTHING) -> Backtested:
    return backtest(gate.store.query, load(Snapshot.of(candidate)).engine.compiled, wanted)


def assert_equal(gate: Gate, candidate: str) -> Counter[Fate]:
    slow, tested = list(read_slowly(gate, candidate)), fast(gate, candidate)
    found = tested.found
    assert tested.complete
    assert tested.progress.decisions == tested.progress.total == len(slow)
    fates = Counter(each.fate for each in slow)
    assert +found.fates == fates
    for fate, examples in found.examples.items():
        newest = [each for each in reversed(slow) if each.fate is fate][: len(examples)]
        assert [each.recorded.id for each in examples] == [each.id for each in newest]
        assert len(examples) == min(10, fates[fate])
        if fate is not Fate.ALLOWED:
            assert [set(each.policies) for each in examples] == [set(each.by) for each in newest]
    _assert_equal_tallies(found, slow)
    _assert_equal_policies(found, slow)
    _assert_equal_groups(found, slow)
    return fates


def _assert_equal_tallies(found: Backtest, slow: list[Slow]) -> None:
    def tally(*fates: Fate) -> tuple[int, int, int]:
        of_them = [each for each in slow if each.fate in fates]
        reported = [each for each in of_them if each.result is not None]
        return len(of_them), len(reported), sum(each.result != "succeeded" for each in reported)

    for counted, fates in (
        (found.deploys, (Fate.KEPT, Fate.STOPPED, Fate.REFUSED)),
        (found.stopped, (Fate.STOPPED, Fate.REFUSED)),
        (found.overridden, WITH_TOKEN),
    ):
        assert (counted.deploys, counted.reported, counted.failed) == tally(*fates)
    assert found.comparison.inside.deploys == found.stopped.deploys
    assert found.stopped_for_good == sum("month-end" in each.by for each in slow if each.fate is Fate.STOPPED)
    assert found.denied_by_freezes == sum(
        not each.by for each in slow if each.fate is Fate.DENIED and _unlisted(each.answer) is None
    )


def _assert_equal_policies(found: Backtest, slow: list[Slow]) -> None:
    assert [each.policy.id for each in found.policies] == ["month-end", "friday", "office"]
    for each in found.policies:
        vetoed = [one for one in slow if each.policy.id in one.by]
        stopped = [one for one in vetoed if one.fate is Fate.STOPPED]
        assert each.stopped == each.comparison.inside.deploys == len(stopped)
        assert each.alone == sum(one.by == (each.policy.id,) for one in stopped)
        assert each.overridden == sum(one.fate in WITH_TOKEN for one in vetoed)
        assert each.denied == sum(one.fate is Fate.DENIED for one in vetoed)
    assert found.former == Counter(
        rule["id"] for each in slow if each.fate is Fate.ALLOWED for rule in each.answer["blocking"]
    )


def _assert_equal_groups(found: Backtest, slow: list[Slow]) -> None:
    known = [each for each in slow if each.fate is not Fate.UNKNOWN]
    for groups, names in (
        (found.services, [each.answer["service"] for each in known]),
        (found.environments, [each.answer["environment"] for each in known]),
        (found.hours, [each.hour for each in known]),
    ):
        expected: dict[Any, Counter[Fate]] = {}
        for each, name in zip(known, names, strict=True):
            expected.setdefault(name, Counter())[each.fate] += 1
        assert groups == {
            name: Group(
                fates[Fate.KEPT] + fates[Fate.STOPPED] + fates[Fate.REFUSED],
                fates[Fate.STOPPED] + fates[Fate.REFUSED],
                fates[Fate.DENIED] + fates[Fate.ALLOWED],
                fates[Fate.ALLOWED],
            )
            for name, fates in expected.items()
        }
    unlisted = Counter(name for each in slow if (name := _unlisted(each.answer)) is not None)
    both = (*found.unknown, *found.refused)
    assert {(each.field, each.name): each.decisions for each in both} == dict(unlisted)
    assert {each.field for each in found.refused} <= {"service"}
    assert sum(each.decisions for each in found.unknown) == found.fates[Fate.UNKNOWN]


def _unlisted(answer: dict[str, Any]) -> tuple[str, str] | None:
    for field, name in (("environment", "legacy"), ("change", "hotfix")):
        if answer[field] == name:
            return field, name
    return None if answer["service"] in {"api", "web", "abroad"} else ("service", answer["service"])


async def test_it_equals_a_slow_reading_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = await lived(tmp_path, 204, seed=3)
    fates = assert_equal(gate, NEW)
    assert set(fates) == set(Fate)
    monkeypatch.setattr("app.core.coverage._OFTEN", 0)
    assert_equal(gate, NEW)
    await gate.store.close()


@pytest.mark.long
async def test_it_equals_a_slow_reading_of_two_thousand(tmp_path: Path) -> None:
    gate = await lived(tmp_path, 2_000, seed=2)
    fates = assert_equal(gate, NEW)
    assert set(fates) == set(Fate)
    assert min(fates.values()) >= 5
    await gate.store.close()


def policies(text: str) -> PolicySet:
    return load(Snapshot.of(text)).policy_set


def test_a_policy_that_warns_is_switched_on_and_no_other() -> None:
    before = policies(OLD)
    after = switched_on(before, "nights")
    assert [(each.id, each.effect.value) for each in after.policies] == [
        ("friday", "deny"),
        ("lunch", "deny"),
        ("nights", "deny"),
        ("month-end", "warn"),
    ]
    assert before.policies[2].effect is Effect.WARN
    assert switched_on(before, "friday") == before
    with pytest.raises(UnknownNameError, match="night"):
        switched_on(before, "night")
