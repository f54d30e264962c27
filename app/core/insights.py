"""Statistics of a period of decisions: when deploys fail, what policies block, how long deploys wait.

Decisions are counted as a stream; none is kept. Two families are tested: the hours of the week, and the
policies with the environments. In each, the chance of any wrong verdict is at most one in twenty periods
(see `proportion.shared_out`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from app.core.comparison import Comparison, Sides, Tally, compare, sides
from app.core.compiled import CompiledPolicies
from app.core.coverage import Coverage, CoverageIndex
from app.core.decision import Outcome
from app.core.decision_json import AD_HOC
from app.core.instant import HOUR
from app.core.interval import Interval
from app.core.policy import Policy
from app.core.proportion import shared_out
from app.core.rollup import Cell, Counts, Decided, cell_of, counts_of
from app.core.waits import NO_WAITS, Request, Waits, WaitTally

HOURS: Final = 168

_FIRST_HOUR: Final = 72
"""The hour of the week in which local time begins to count: 1970-01-01 was a Thursday."""


class HourInsight(NamedTuple):
    """An hour of the week, compared with all the others."""

    weekday: int
    """Monday is 0."""
    hour: int
    denials: int
    comparison: Comparison


class PolicyInsight(NamedTuple):
    """The effect of a policy: what it blocked, and the outcomes of deploys while it is active."""

    id: str
    policy: Policy | None
    """None for all ad-hoc freezes together, and for policies that no longer exist."""
    denials: int
    overrides: int
    comparison: Comparison | None
    """Over the deploys that the policy applies to; inside are those made while it is active."""
    waits: Waits


class EnvironmentInsight(NamedTuple):
    """The record of an environment, and the outcomes of its overridden deploys."""

    name: str
    denials: int
    tally: Tally
    comparison: Comparison
    """Inside are the overridden deploys."""


class Insights(NamedTuple):
    """The statistics of a period."""

    denials: int
    total: Tally
    hours: tuple[HourInsight, ...]
    policies: tuple[PolicyInsight, ...]
    environments: tuple[EnvironmentInsight, ...]
    waits: Waits
    hours_compared: int
    """The number of hours that could be compared; the confidence of each allows for it."""
    others_compared: int
    """The number of policies and environments that could be compared."""


class Counting:
    """Count decisions, one by one or as rollups have them, and the waits for them."""

    def __init__(self, compiled: CompiledPolicies, period: Interval) -> None:
        """Count the decisions of a period, by the policies as they are now."""
        self._policy_set = policy_set = compiled.policy_set
        self._start, self._end = period
        self._local = policy_set.home.local
        self.waits = WaitTally(period)
        self._hour_denials = [0] * HOURS
        self._environment_denials: Counter[str] = Counter()
        self._policy_denials: Counter[str] = Counter()
        self._policy_overrides: Counter[str] = Counter()
        self._coverage = CoverageIndex(compiled, period)
        self._of_request: dict[Request, _Group] = {}
        self._groups: dict[tuple[int, str, str], _Group] = {}

    def take(self, decisions: Iterable[Decided]) -> None:
        """Count decisions; those outside the period are left out."""
        for decided in decisions:
            if self._start <= decided.at < self._end:
                self.add(decided.at, cell_of(decided), counts_of(decided.result))

    def add(self, at: int, cell: Cell, counts: Counts) -> None:
        """Count the decisions of a cell that were made in the minute of an instant of the period."""
        if cell.outcome == Outcome.DENY:
            self._denied(at, cell, counts.decisions)
        else:
            self._allowed(at, cell, counts)

    def finish(self, now: int) -> Insights:
        """Return the statistics of everything counted."""
        total = Tally()
        for group in self._groups.values():
            total.add(group.total)
        hours, policies, environments = self._hours(total), self._by_policy(), self._overridden()
        hours_compared = sum(each.comparable for each in hours)
        others_compared = sum(each.comparable for each in (*policies.values(), *environments.values()))
        of_hours, of_others = shared_out(hours_compared), shared_out(others_compared)
        waits, waits_of = self.waits.finish(now)
        return Insights(
            denials=sum(self._hour_denials),
            total=total,
            hours=tuple(
                HourInsight(*divmod(hour, 24), self._hour_denials[hour], compare(each, of_hours))
                for hour, each in enumerate(hours)
            ),
            policies=self._policies(
                {name: compare(each, of_others) for name, each in policies.items()}, waits_of
            ),
            environments=tuple(
                EnvironmentInsight(
                    name, self._environment_denials[name], each.everything, compare(each, of_others)
                )
                for name, each in environments.items()
            ),
            waits=waits,
            hours_compared=hours_compared,
            others_compared=others_compared,
        )

    def _denied(self, at: int, cell: Cell, count: int) -> None:
        self._hour_denials[self._hour_of(at)] += count
        self._environment_denials[cell.request[1]] += count
        for name in cell.names:
            self._policy_denials[name] += count

    def _allowed(self, at: int, cell: Cell, counts: Counts) -> None:
        request = cell.request
        group = self._of_request.get(request)
        if group is None:
            group = self._of_request[request] = self._find_group(request)
        overrides = 0
        tallies = group.tallies(at, self._hour_of(at))
        if cell.outcome == Outcome.OVERRIDE:
            overrides = counts.decisions
            for name in cell.names:
                self._policy_overrides[name] += overrides
            tallies.append(group.overridden)
        added = Tally(counts.decisions, overrides, counts.reported, counts.failed)
        for tally in tallies:
            tally.add(added)

    def _hour_of(self, at: int) -> int:
        return hour_of_week(self._local(at))

    def _find_group(self, request: Request) -> "_Group":
        """Return the group of a request: same environment, kind of change and policies."""
        _, environment, change = request
        coverage = self._coverage.of(*request)
        return self._groups.setdefault((id(coverage), environment, change), _Group(coverage, environment))

    def _hours(self, total: Tally) -> list[Sides]:
        """Return, for each hour of the week, the deploys in it and at other times."""
        strata: list[list[tuple[Tally, Tally]]] = [[] for _ in range(HOURS)]
        for group in self._groups.values():
            for hour, tally in group.hours.items():
                strata[hour].append((tally, group.total))
        return [sides(total, each) for each in strata]

    def _by_policy(self) -> dict[str, Sides]:
        """Return, for each policy, the deploys while it is active, and the others that it applies to."""
        numbers = range(len(self._policy_set.policies))
        applying = [Tally() for _ in numbers]
        strata: list[list[tuple[Tally, Tally]]] = [[] for _ in numbers]
        for group in self._groups.values():
            for number in group.coverage.applying:
                applying[number].add(group.total)
            for number, tally in group.inside().items():
                strata[number].append((tally, group.total))
        return {
            policy.id: sides(applying[number], strata[number])
            for number, policy in enumerate(self._policy_set.policies)
        }

    def _overridden(self) -> dict[str, Sides]:
        """Return, for each environment, the overridden deploys and the others.

        Environments of the file come first, in its order, then former ones.
        """
        known = self._policy_set.environments
        seen = {*self._environment_denials, *(group.environment for group in self._groups.values())}
        found = {}
        for name in [*known, *sorted(seen.difference(known))]:
            everything = Tally()
            strata = []
            for group in self._groups.values():
                if group.environment == name:
                    everything.add(group.total)
                    strata.append((group.overridden, group.total))
            found[name] = sides(everything, strata)
        return found

    def _policies(
        self, comparisons: Mapping[str, Comparison], waits: Mapping[str, Waits]
    ) -> tuple[PolicyInsight, ...]:
        """Return the policies of the file in its order, then all freezes as one, then former policies."""
        standing = {policy.id: policy for policy in self._policy_set.policies}
        seen = {*self._policy_denials, *self._policy_overrides, *waits}
        gone = sorted(seen.difference(standing, [AD_HOC]))
        names = [*standing, *([AD_HOC] if AD_HOC in seen and AD_HOC not in standing else []), *gone]
        return tuple(
            PolicyInsight(
                id=name,
                policy=standing.get(name),
                denials=self._policy_denials[name],
                overrides=self._policy_overrides[name],
                comparison=comparisons.get(name),
                waits=waits.get(name, NO_WAITS),
            )
            for name in names
        )


class _Group:
    """The deploys of one kind of change to one environment, to which the same policies apply.

    The gate treats them all alike, so it can't cause a difference between their failure rates.
    """

    __slots__ = ("active", "coverage", "environment", "hours", "overridden", "total")

    def __init__(self, coverage: Coverage, environment: str) -> None:
        self.coverage = coverage
        self.environment = environment
        self.total = Tally()
        self.overridden = Tally()
        self.hours: dict[int, Tally] = {}
        self.active: dict[tuple[int, ...], Tally] = {}
        """By the policies that were active."""

    def tallies(self, at: int, hour: int) -> list[Tally]:
        """Return the tallies in which a deploy is counted."""
        active = self.coverage.at(at)
        return [
            self.total,
            self.hours.get(hour) or self.hours.setdefault(hour, Tally()),
            self.active.get(active) or self.active.setdefault(active, Tally()),
        ]

    def inside(self) -> dict[int, Tally]:
        """Return the deploys made while each policy was active, by its number."""
        found: dict[int, Tally] = {}
        for active, tally in self.active.items():
            for number in active:
                found.setdefault(number, Tally()).add(tally)
        return found


def hour_of_week(local: int) -> int:
    """Return the hour of the week of a local time in seconds; 0 is Monday, 00:00."""
    return (local // HOUR + _FIRST_HOUR) % HOURS
