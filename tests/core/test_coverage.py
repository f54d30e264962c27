"""Coverage agrees with the engine, instant by instant."""

import random

import pytest

from app.core.compiled import CompiledPolicies
from app.core.coverage import _OFTEN, CoverageIndex
from app.core.engine import Engine
from app.core.instant import DAY, EARLIEST, LATEST, parse_instant
from app.core.policy import PolicySet
from app.policies.load import load
from app.policies.source import Snapshot

POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  api: {tags: [tier-1]}
  abroad: {tags: [tier-1], timezone: America/New_York}
  quiet: {}
  forever: {}
policies:
  - {id: a, title: t, reason: r, when: [{weekly: {from: fri 14:00, to: mon 08:00}}],
     applies_to: {environments: [production]}, exempt: {services: [quiet]}}
  - {id: b, title: t, reason: r, effect: allow-only, timezone: service, applies_to: {tags: [tier-1]},
     when: [{daily: {from: "09:00", to: "16:00"}}],
     except_when: [{dates: {from: 2026-03-28, to: 2026-03-30}}]}
  - {id: c, title: t, reason: r, effect: warn, when: [{daily: {from: "22:00", to: "06:00"}}]}
  - {id: d, title: t, reason: r, when: [{always: true}], applies_to: {services: [forever]}}
  - {id: e, title: t, reason: r, when: [{yearly: {from: 12-20, to: 01-03}}], applies_to: {changes: [hotfix]}}
"""
YEAR = parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-01-01T00:00:00Z")


def policies() -> PolicySet:
    return load(Snapshot.of(POLICIES)).policy_set


@pytest.mark.parametrize("often", [0, 10**9], ids=["swept", "asked"])
def test_the_active_policies_are_those_of_the_engine(monkeypatch: pytest.MonkeyPatch, often: int) -> None:
    monkeypatch.setattr("app.core.coverage._OFTEN", often)
    policy_set = policies()
    engine, places = Engine(policy_set), CoverageIndex(CompiledPolicies(policy_set), YEAR)
    numbers = {policy.id: number for number, policy in enumerate(policy_set.policies)}
    rng = random.Random(1)
    for _ in range(3_000):
        service = rng.choice(["api", "abroad", "quiet", "forever", "unknown"])
        environment = rng.choice(["production", "staging"])
        change = rng.choice(["normal", "hotfix", "rollback"])
        at = rng.randrange(*YEAR)
        held = places.of(service, environment, change)
        segment = engine.scope(service, environment, change).segment(at)
        expected = {numbers[each.rule.id] for each in (*segment.blocking, *segment.warnings)}
        assert set(held.at(at)) == expected, (service, environment, change, at)
        assert expected <= set(held.applying)


def test_services_that_the_same_policies_match_share_their_coverage() -> None:
    places = CoverageIndex(CompiledPolicies(policies()), YEAR)
    assert places.of("unknown", "staging", "normal") is places.of("another", "staging", "rollback")
    assert places.of("api", "staging", "normal") is not places.of("abroad", "staging", "normal")
    assert places.of("api", "staging", "normal") is not places.of("api", "staging", "hotfix")


def test_periods_at_the_ends_of_time_are_cut() -> None:
    for period in ((EARLIEST, EARLIEST + DAY), (LATEST - DAY, LATEST)):
        held = CoverageIndex(CompiledPolicies(policies()), period).of("forever", "staging", "normal")
        for _ in range(2 * _OFTEN):
            assert 3 in held.at(period[0])
            assert 3 in held.at(period[1] - 1)
