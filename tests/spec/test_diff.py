"""The difference of two sets against the slow twin, on generated pairs: for every minute or every bound."""

import os
from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from app.core.diff import Diff, diff
from app.core.engine import Engine
from app.core.policy import PolicySet
from tests.spec.generate import Pair, pair
from tests.spec.twin import Rule, Twin

# Counted line by line, it takes twice as long and covers no line that nothing else does.
pytestmark = pytest.mark.no_cover

PAIRS = int(os.environ.get("FREEZEGATE_CASES", "20"))
FIRST_SEED = int(os.environ.get("FREEZEGATE_SEED", "1"))
CHANGES = ("normal", "hotfix", "rollback", "config")
ENVIRONMENTS = ("production", "staging", "test", "qa")


class Slow:
    """One of two sets, asked instant by instant."""

    def __init__(self, policy_set: dict[str, Any], near: tuple[int, int]) -> None:
        self.policy_set = policy_set
        self.near = (near[0] - 86_400, near[1] + 86_400)
        self.known: dict[tuple[str, str, tuple[int, int]], Rule] = {}
        self.held: dict[tuple[int, int], bool] = {}

    def vetoers(self, service: str, environment: str, change: str) -> list[Rule] | None:
        """The policies that may veto; None where the catalogue refuses the service."""
        refuses = self.policy_set.get("unknown_services") == "refuse"
        if refuses and service not in self.policy_set["services"]:
            return None
        question = {"service": service, "environment": environment, "change": change}
        return Twin(self.policy_set, question, self.near, self.known).vetoers

    def denied(self, rules: list[Rule] | None, instant: int) -> tuple[bool, tuple[str, ...]]:
        """Whether a request is denied at an instant, and by whom."""
        if rules is None:
            return True, ()
        ids = tuple(rule.id for rule in rules if self._holds(rule, instant))
        return bool(ids), ids

    def _holds(self, rule: Rule, instant: int) -> bool:
        key = (id(rule), instant)
        if key not in self.held:
            self.held[key] = rule.holds(instant)
        return self.held[key]

    def knows(self, environment: str, change: str) -> bool:
        changes = self.policy_set.get("changes", CHANGES[:3])
        return environment in self.policy_set["environments"] and change in changes


def disagreement(one: Pair, instants: Iterable[int] | None) -> str | None:
    """What the difference says of a request and an instant that the twin doesn't; None if they agree."""
    old, new = Slow(one.old, one.near), Slow(one.new, one.near)
    before, after = (Engine(PolicySet.model_validate(each)) for each in (one.old, one.new))
    found = diff(before, after, one.near)
    for environment in ENVIRONMENTS:
        for change in CHANGES:
            compared = old.knows(environment, change) and new.knows(environment, change)
            for service in one.services:
                request = (service, environment, change)
                if not compared:
                    assert not found.hours_of(*request)
                elif said := _disagreement(found, old, new, request, instants):
                    return said
    return None


def _disagreement(
    found: Diff, old: Slow, new: Slow, request: tuple[str, str, str], instants: Iterable[int] | None
) -> str | None:
    hours = found.hours_of(*request)
    before, after = old.vetoers(*request), new.vetoers(*request)
    first, last = found.period
    if instants is None:
        bounds = {bound for rules in (before, after) for rule in rules or () for bound in rule.bounds()}
        bounds |= {bound for each in hours for bound in (each.start, each.end)}
        near = {bound + step for bound in bounds for step in (-1, 0, 1)} | set(range(first, last, 21_600))
        instants = sorted(at for at in near if first <= at < last)
    rest = iter(hours)
    current = next(rest, None)
    for at in instants:
        while current and current.end <= at:
            current = next(rest, None)
        told = current if current and current.start <= at else None
        (was, before_ids), (is_now, after_ids) = old.denied(before, at), new.denied(after, at)
        if (told and told.opens) != ((was and not is_now) if was != is_now else None):
            return f"{request} at {at}: the twin says denied {was}, then {is_now}; the difference {told}"
        if told and told.start == at and (told.before, told.after) != (before_ids, after_ids):
            return f"{request} at {at}: the twin says {before_ids} and {after_ids}, the difference {told}"
    return None


def report(seed: int, one: Pair, said: str | None) -> str:
    return f"seed {seed}: {said}\n{yaml.safe_dump({'old': one.old, 'new': one.new}, sort_keys=False)}"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + PAIRS))
def test_the_difference_is_what_the_twin_finds_around_every_bound(seed: int) -> None:
    one = pair(seed)
    said = disagreement(one, None)
    assert said is None, report(seed, one, said)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + max(PAIRS, 200)))
def test_the_difference_is_what_the_twin_finds_minute_by_minute(seed: int) -> None:
    one = pair(seed)
    said = disagreement(one, range(one.near[0] - one.near[0] % 60 + 60, one.near[1], 60))
    assert said is None, report(seed, one, said)
