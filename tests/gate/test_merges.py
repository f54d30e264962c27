"""The checks of merges, by what is in force."""

from pathlib import Path

import pytest

from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.merge_check import MergeCheck
from app.core.merge_freeze import Head, MergeRule, PullRequest, branch_pattern, repository_pattern
from app.core.policy import Selector
from app.gate.in_force import Policies
from app.gate.merges import HeadCount, Merges
from app.policies.source import Source
from tests.api.fakes import FakeClock

OPEN = parse_instant("2026-11-27T12:59:59Z")
FILE = """version: 1
environments: [production, main]
services: {shop: {}, docs: {}}
unknown_services: refuse
policies:
  - id: friday
    title: No merges after Friday 14:00
    reason: Nobody watches.
    applies_to: {services: [shop]}
    exempt: {changes: [hotfix]}
    when:
      - weekly: {from: fri 13:00, to: mon 08:00}
"""
EVERYTHING = Selector(environments=None, services=None, tags=None, changes=None)
RULE = MergeRule(
    repository_pattern("acme/*"), branch_pattern("main"), "{name}", "main", changes=(("hotfix", "hotfix"),)
)
HEAD = Head("a", "main", (PullRequest(1, "a", "main"),))


@pytest.fixture
def policies(tmp_path: Path) -> Policies:
    file = tmp_path / "policies.yaml"
    file.write_text(FILE)
    loaded = Policies()
    loaded.load(Source(file), OPEN)
    return loaded


def passes(merges: Merges, repository: str = "acme/shop") -> bool:
    return merges.checks([RULE], repository, [HEAD])[0][1].passes


def test_heads_are_checked_by_what_is_in_force_at_this_second(policies: Policies) -> None:
    clock = FakeClock(OPEN)
    merges = Merges(policies, clock)
    assert passes(merges)
    clock.at += 1
    assert not passes(merges)
    assert passes(merges, "acme/docs")


def test_a_repository_that_is_no_service_has_no_open_merges(policies: Policies) -> None:
    merges = Merges(policies, FakeClock(OPEN))
    ((_, found),) = merges.checks([RULE], "acme/other", [HEAD])
    assert (found.passes, found.title) == (False, "There is no answer")
    ((_, found),) = merges.checks([RULE], "acme/.github", [HEAD])
    assert '".github" is no name of a service' in found.summary


def test_the_state_of_a_repository_changes_when_a_check_of_it_does(policies: Policies) -> None:
    clock = FakeClock(OPEN)
    merges = Merges(policies, clock)
    shop, docs = merges.state([RULE], "acme/shop"), merges.state([RULE], "acme/docs")
    assert merges.state([RULE], "elsewhere/shop") == ()
    clock.at += 1
    frozen = merges.state([RULE], "acme/shop")
    assert frozen != shop
    assert frozen[1] == shop[1]  # hotfixes go on
    assert merges.state([RULE], "acme/docs") == docs
    clock.at += 3_600
    assert merges.state([RULE], "acme/shop") == frozen
    freeze = Freeze("frz_1", "Down", "Now.", None, None, EVERYTHING, "token", OPEN, None, "Alice", OPEN)
    policies.use_freezes([freeze], 1)
    assert merges.state([RULE], "acme/shop") != frozen
    assert merges.state([RULE], "acme/docs") != docs


def test_heads_are_counted_by_environment_over_all_repositories(policies: Policies) -> None:
    merges = Merges(policies, FakeClock(OPEN))
    rules = [RULE, RULE._replace(branches=branch_pattern("release"), environment="release")]
    red, green = MergeCheck(False, "", "", ""), MergeCheck(True, "", "", "")
    release, unknown = HEAD._replace(base="release"), HEAD._replace(base="feature")
    assert merges.heads == {}
    merges.count(rules, "acme/shop", [(HEAD, green), (HEAD, green), (HEAD, red)])
    merges.count(rules, "acme/docs", [(HEAD, green), (release, red), (unknown, red)])
    assert merges.heads == {"main": HeadCount(3, 1), "release": HeadCount(0, 1)}
    merges.count(rules, "acme/shop", [])
    merges.keep(["acme/docs"])
    assert merges.heads == {"main": HeadCount(1, 0), "release": HeadCount(0, 1)}
