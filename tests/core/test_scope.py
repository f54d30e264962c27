"""Searching far ahead is cheap, or leaves the event loop."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.core.interval import subtract
from app.core.policy import Policy
from app.core.scope import ScopeTimeline, _outside
from app.core.timeline import BlockBudget, PolicyTimeline
from app.core.wallclock import zone
from app.policies.load import load
from app.policies.source import Snapshot

FRIDAY = parse_instant("2026-11-27T13:00:00Z")


def engine(when: str) -> Engine:
    policy = f"{{id: rule, title: T, reason: R., when: [{when}]}}"
    return load(Snapshot.of(f"version: 1\npolicies:\n  - {policy}\n")).engine


WEEKEND = "{weekly: {from: fri 13:00, to: mon 08:00}}"
HOURLY = '{cron: {start: "0 * * * *", duration: 30m}}'


def test_a_deploy_that_fits_before_the_next_freeze_needs_no_thread() -> None:
    friday = engine(WEEKEND)
    question = Question("api", duration=HOUR)
    friday.decide(question, FRIDAY - DAY)
    assert friday.is_prepared(question, FRIDAY - DAY)
    assert friday.is_prepared(question, FRIDAY - HOUR)


@pytest.mark.parametrize("at", [FRIDAY - HOUR + 1, FRIDAY, FRIDAY + DAY])
def test_a_deploy_that_does_not_fit_is_searched_in_a_thread(at: int) -> None:
    friday = engine(WEEKEND)
    question = Question("api", duration=HOUR)
    friday.decide(question, at)
    assert not friday.is_prepared(question, at)
    assert friday.is_prepared(Question("api"), at)


def test_a_deploy_that_never_fits_has_no_start_within_two_years() -> None:
    decision = engine(HOURLY).decide(Question("api", duration=31 * MINUTE), FRIDAY)
    assert (decision.allowed, decision.opens_at) == (False, None)


def test_a_deploy_that_just_fits_starts_when_the_freeze_ends() -> None:
    decision = engine(HOURLY).decide(Question("api", duration=30 * MINUTE), FRIDAY + MINUTE)
    assert decision.opens_at == FRIDAY + 30 * MINUTE


def test_following_rules_are_found_once_for_all_instants_of_a_segment() -> None:
    first = "{id: first, title: A, reason: R., when: [{weekly: {from: fri 13:00, to: fri 14:00}}]}"
    then = "{id: then, title: B, reason: R., when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}"
    both = load(Snapshot.of(f"version: 1\npolicies:\n  - {first}\n  - {then}\n")).engine
    one, two, later = (
        both.decide(Question("api"), FRIDAY + at) for at in (0, 30 * MINUTE, HOUR + 30 * MINUTE)
    )
    assert [each.rule.id for each in one.following] == ["then"]
    assert two.following is one.following
    assert later.following == ()
    assert both.decide(Question("api"), FRIDAY).following == one.following


def _turns(opens_on: str | None) -> ScopeTimeline:
    """Two rules that allow in turns, so that both only do from a day on, hundreds of stretches away."""
    both = [] if opens_on is None else [{"dates": {"from": opens_on, "to": "2040-01-01"}}]
    zone_name = "Europe/Amsterdam"
    lines = [
        {"id": "day", "when": [{"daily": {"from": "09:00", "to": "17:00"}}, *both]},
        {"id": "night", "when": [{"daily": {"from": "17:00", "to": "09:00"}}, *both]},
        {"id": "noon", "effect": "deny", "when": [{"daily": {"from": "12:00", "to": "13:00"}}]},
        {"id": "warned", "effect": "warn", "when": [{"always": True}]},
    ]
    budget = BlockBudget()
    fields = {"title": "T", "reason": "R", "effect": "allow-only"}
    policies = [Policy.model_validate({**fields, **line}) for line in lines]
    return ScopeTimeline([PolicyTimeline(policy, zone(zone_name), budget) for policy in policies], budget)


@pytest.mark.parametrize(
    ("opens_on", "opens_at"),
    [
        ("2026-11-30", "2026-11-29T23:00:00Z"),
        ("2027-03-28", "2027-03-27T23:00:00Z"),
        ("2028-08-30 12:30", "2028-08-30T11:00:00Z"),
        ("2028-11-20", "2028-11-19T23:00:00Z"),
        (None, None),
    ],
)
def test_an_opening_that_is_many_stretches_away_is_found_exactly(
    opens_on: str | None, opens_at: str | None
) -> None:
    at = parse_instant("2026-11-27T10:00:00Z")
    decision = _turns(opens_on).decide(Question("api"), at)
    assert not decision.allowed
    assert decision.flips_at == (None if opens_at is None else parse_instant(opens_at))


_EDGES = (
    st.lists(st.integers(0, 60), unique=True, max_size=12)
    .map(sorted)
    .map(lambda edges: edges[: len(edges) // 2 * 2])
)


# A busy machine must not decide: neither by the time of an example nor by that of its generation.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(free=_EDGES, taken=_EDGES)
def test_intervals_less_edges_are_the_rest_of_the_intervals(free: list[int], taken: list[int]) -> None:
    intervals = list(zip(free[::2], free[1::2], strict=True))
    held = list(zip(taken[::2], taken[1::2], strict=True))
    assert _outside(intervals, taken) == subtract(intervals, held)
