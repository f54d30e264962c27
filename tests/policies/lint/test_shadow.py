"""What is said to be idle can be taken out, and no answer changes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.compiled import CompiledPolicies
from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, LOOK_AHEAD, parse_instant
from app.core.policy import PolicySet
from app.policies.lint.reach import Reach
from app.policies.lint.shadow import MOST_COMPARED, Shadows

NOW = parse_instant("2026-11-23T12:00:00Z")

_TIMES = st.sampled_from(["00:00", "06:00", "12:00", "18:00"])
_DAYS = st.sampled_from(["mon", "wed", "fri", "sun"])
_WINDOWS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.tuples(_DAYS, _TIMES, _DAYS, _TIMES).map(
        lambda bounds: {"weekly": {"from": f"{bounds[0]} {bounds[1]}", "to": f"{bounds[2]} {bounds[3]}"}}
    ),
    st.tuples(_DAYS, _TIMES, _DAYS, _TIMES, st.sampled_from([2, 4]), st.integers(1, 28)).map(
        lambda bounds: {
            "weekly": {
                "from": f"{bounds[0]} {bounds[1]}",
                "to": f"{bounds[2]} {bounds[3]}",
                "every": bounds[4],
                "starting": f"2027-02-{bounds[5]:02}",
            }
        }
    ),
    st.tuples(st.sampled_from(["1", "2nd mon", "last workday"]), st.sampled_from([["mar"], ["jan-dec"]])).map(
        lambda bounds: {"monthly": {"from": bounds[0], "to": "last", "months": bounds[1]}}
    ),
    st.tuples(_TIMES, _TIMES)
    .filter(lambda bounds: bounds[0] != bounds[1])
    .map(lambda bounds: {"daily": {"from": bounds[0], "to": bounds[1]}}),
    st.sampled_from(["2026-12-01", "2027-06-01", "2030-01-01"]).map(
        lambda day: {"dates": {"from": "2026-01-01", "to": day}}
    ),
    st.just({"always": True}),
)
_SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "environments": st.just(["production"]),
        "services": st.lists(st.sampled_from(["api", "web", "*", "a*", "team/x"]), min_size=1, max_size=2),
        "tags": st.just(["tier-1"]),
        "changes": st.just(["normal"]),
    },
).filter(bool)


@st.composite
def _policies(draw: st.DrawFn) -> list[dict[str, Any]]:
    policies = []
    for number in range(draw(st.integers(2, 4))):
        policy = {
            "id": f"p-{number}",
            "title": "T",
            "reason": "R",
            "effect": draw(st.sampled_from(["deny", "deny", "warn", "allow-only"])),
            "override": draw(st.sampled_from(["token", "never"])),
            "when": draw(st.lists(_WINDOWS, min_size=1, max_size=2)),
        }
        optional = {
            "timezone": st.sampled_from(["service", "Asia/Tokyo", "UTC"]),
            "applies_to": st.lists(_SELECTORS, min_size=1, max_size=2),
            "exempt": st.lists(_SELECTORS, min_size=1, max_size=1),
            "except_when": st.lists(_WINDOWS, min_size=1, max_size=1),
        }
        for key, values in optional.items():
            if draw(st.integers(0, 3)) == 0:
                policy[key] = draw(values)
        policies.append(policy)
    return policies


def _set(policies: list[dict[str, Any]]) -> PolicySet:
    return PolicySet.model_validate(
        {
            "version": 1,
            "timezone": "Europe/Amsterdam",
            "environments": ["production", "staging"],
            "services": {"api": {"tags": ["tier-1"], "timezone": "America/New_York"}, "web": {}},
            "policies": policies,
        }
    )


@given(_policies(), st.lists(st.integers(0, LOOK_AHEAD - DAY), min_size=20, max_size=20))
@settings(max_examples=200, deadline=None)
def test_without_an_idle_policy_every_answer_is_the_same(
    policies: list[dict[str, Any]], ahead: list[int]
) -> None:
    whole = _set(policies)
    idle = {number for number, _ in Shadows(CompiledPolicies(whole), Reach(whole), NOW).found()}
    if not idle:
        return
    before = Engine(whole)
    after = Engine(_set([policy for number, policy in enumerate(policies) if number not in idle]))
    for service in ("api", "web", "team/x", "abc", "x/y"):
        for environment in ("production", "staging"):
            for change in ("normal", "hotfix"):
                question = Question(service, environment, change)
                for seconds in ahead:
                    one, other = before.decide(question, NOW + seconds), after.decide(question, NOW + seconds)
                    assert one.outcome is other.outcome
                    assert _liftable(one.blocking) == _liftable(other.blocking)


def _liftable(blocking: tuple[Any, ...]) -> bool:
    return all(stretch.rule.overridable == "token" for stretch in blocking)


def test_the_generated_policies_are_idle_often_enough_to_prove_something() -> None:
    found = 0

    @given(_policies())
    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    def count(policies: list[dict[str, Any]]) -> None:
        nonlocal found
        whole = _set(policies)
        found += bool(list(Shadows(CompiledPolicies(whole), Reach(whole), NOW).found()))

    count()
    assert found >= 10


def _shadows(policies: list[dict[str, Any]]) -> Shadows:
    fields = {"title": "T", "reason": "R"}
    numbered = [{"id": f"p-{number}", **fields, **policy} for number, policy in enumerate(policies)]
    policy_set = PolicySet.model_validate({"version": 1, "policies": numbered})
    return Shadows(CompiledPolicies(policy_set), Reach(policy_set), NOW)


def _every_minute(seconds: int) -> dict[str, Any]:
    return {"when": [{"cron": {"start": "* * * * *", "duration": f"{seconds}s"}}]}


def test_policies_of_every_minute_are_compared_as_they_are_written() -> None:
    """A year of them would be half a million windows each."""
    shadows = _shadows([_every_minute(30), _every_minute(20), _every_minute(30), _every_minute(40)])
    assert list(shadows.found()) == [(0, 3), (1, 0), (2, 0)]
    assert shadows._compiled._timelines == {}
    always = _shadows([_every_minute(30), {"when": [{"always": True}]}])
    assert list(always.found()) == [(0, 1)]
    assert always._compiled._timelines == {}


def test_ten_thousand_daily_policies_are_compared_without_compiling_a_window() -> None:
    shadows = _shadows(
        [
            {
                "when": [
                    {"daily": {"from": f"{each // 60 % 12:02}:{each % 60:02}", "to": f"{12 + each % 12}:00"}}
                ]
            }
            for each in range(10_000)
        ]
    )
    assert len(list(shadows.found())) > 9_000
    assert shadows._compiled._timelines == {}
    assert shadows._compared < MOST_COMPARED


def test_the_search_for_idle_policies_ends_after_a_bounded_number_of_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.policies.lint.shadow.MOST_COMPARED", 5)
    # Each begins and ends a minute after the one before, so none holds through another.
    shadows = _shadows(
        [{"when": [{"daily": {"from": f"09:{each:02}", "to": f"17:{each:02}"}}]} for each in range(50)]
    )
    assert list(shadows.found()) == []
    assert shadows._compared == 6
