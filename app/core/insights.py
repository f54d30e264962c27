"""Statistics of a period of decisions: when deploys fail, what policies block, how long deploys wait.

Decisions are counted as a stream; none is kept. Two families are tested: the hours of the week, and the
policies with the environments. In each, the chance of any wrong verdict is at most one in twenty periods
(see `proportion.shared_out`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.core.comparison import Comparison, Sides, Tally, compare, sides
from app.core.compiled import CompiledPolicies
from app.core.coverage import CoverageIndex
from app.core.decision import Outcome
from app.core.decision_json import AD_HOC
from app.core.interval import Interval
from app.core.policy import Policy
from app.core.proportion import shared_out
from app.core.rollup import Counts, Decided, cell_of, counts_of
from app.core.rollup_sums import HOURS, Group, Kind, Kinds, Slot, Sums, hour_of_week
from app.core.waits import NO_WAITS, Request, Waits, WaitTally


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
        self._of_requests: dict[Request, Group] = {}
        self._groups: dict[Group, _Deploys] = {}

    def take(self, decisions: Iterable[Decided]) -> None:
        """Count decisions; those outside the period are left out."""
        for decided in decisions:
            if self._start <= decided.at < self._end:
                self._take(decided)

    def take_sums(
        self, sums: Sums, kinds: Kinds, environment: str | None = None, change: str | None = None
    ) -> None:
        """Count sums of minutes of the period; None matches all environments, and all kinds of change."""
        for kind, slot, counts in kinds.each(sums):
            if environment in (None, kind.group.environment) and change in (None, kind.group.change):
                self._add(kind, slot, counts)
        self.take_waits(sums, environment, change)

    def take_waits(self, sums: Sums, environment: str | None = None, change: str | None = None) -> None:
        """Count the waits of sums; None matches all environments, and all kinds of change."""
        for (where, what, policies), ends in sums.waits.items():
            if environment in (None, where) and change in (None, what):
                self.waits.extend(policies, ends)

    def _take(self, decided: Decided) -> None:
        cell = cell_of(decided)
        group = self._of_requests.get(cell.request)
        if group is None:
            _, environment, change = cell.request
            group = Group(self._coverage.key_of(*cell.request), environment, change)
            self._of_requests[cell.request] = group
        active = self._coverage.of_key(group.coverage).at(decided.at)
        slot = Slot(hour_of_week(self._local(decided.at)), active)
        self._add(Kind(group, cell.outcome, cell.names), slot, counts_of(decided.result))

    def _add(self, kind: Kind, slot: Slot, counts: Counts) -> None:
        if kind.outcome == Outcome.DENY:
            self._denied(kind, slot, counts.decisions)
        else:
            self._allowed(kind, slot, counts)

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

    def _denied(self, kind: Kind, slot: Slot, count: int) -> None:
        self._hour_denials[slot.hour] += count
        self._environment_denials[kind.group.environment] += count
        for name in kind.names:
            self._policy_denials[name] += count

    def _allowed(self, kind: Kind, slot: Slot, counts: Counts) -> None:
        deploys = self._groups.get(kind.group)
        if deploys is None:
            deploys = self._groups[kind.group] = _Deploys(kind.group)
        overrides = counts.decisions if kind.outcome == Outcome.OVERRIDE else 0
        tallies = deploys.tallies(slot)
        if overrides:
            for name in kind.names:
                self._policy_overrides[name] += overrides
            tallies.append(deploys.overridden)
        added = Tally(counts.decisions, overrides, counts.reported, counts.failed)
        for tally in tallies:
            tally.add(added)

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
            for number in group.applying:
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


class _Deploys:
    """The deploys of one kind of change to one environment, to which the same policies apply.

    The gate treats them all alike, so it can't cause a difference between their failure rates.
    """

    __slots__ = ("active", "applying", "environment", "hours", "overridden", "total")

    def __init__(self, group: Group) -> None:
        self.applying = {number for number, _ in group.coverage}
        self.environment = group.environment
        self.total = Tally()
        self.overridden = Tally()
        self.hours: dict[int, Tally] = {}
        self.active: dict[tuple[int, ...], Tally] = {}
        """By the policies that were active."""

    def tallies(self, slot: Slot) -> list[Tally]:
        """Return the tallies in which deploys are counted."""
        hour, active = slot
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
