"""What a period of decisions shows: when deploys fail, what policies stop, how long deploys waited.

Decisions are counted one by one as they come, and none is held. Two lists are judged, each as a
whole: the hours of the week, and the policies with the environments. In each, all verdicts together
are wrong by chance in one of twenty periods at most (see `proportion.shared_out`).
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
from app.core.waits import NO_WAITS, Queue, Request, Waits

SUCCEEDED: Final = "succeeded"
HOURS: Final = 168

_FIRST_HOUR: Final = 72
"""The hour of the week in which local time begins to count: 1970-01-01 was a Thursday."""

_FREEZE: Final = "frz_"
"""How the id of an ad-hoc freeze begins; no policy can have such an id."""


class Decided(NamedTuple):
    """A recorded decision with the latest report on it; as little as counting needs."""

    at: int
    service: str
    environment: str
    change: str
    outcome: str
    blocking: str | None
    """The ids of what vetoed, joined by commas, whether or not a token lifted it."""
    result: str | None
    """As of the latest report; None without any."""


class HourInsight(NamedTuple):
    """An hour of the week, held against all the others."""

    weekday: int
    """Monday is 0."""
    hour: int
    denials: int
    comparison: Comparison


class PolicyInsight(NamedTuple):
    """What a policy did, and how deploys go at the times at which it holds."""

    id: str
    policy: Policy | None
    """None for what is not among the policies now: ad-hoc freezes together, and policies that are gone."""
    denials: int
    overrides: int
    comparison: Comparison | None
    """Of the deploys that the policy applies to; inside are those at times at which it holds."""
    waits: Waits


class EnvironmentInsight(NamedTuple):
    """What happened in an environment, and how deploys by an override go there."""

    name: str
    denials: int
    tally: Tally
    comparison: Comparison
    """Inside are those by an override."""


class Insights(NamedTuple):
    """What a period of decisions shows."""

    denials: int
    total: Tally
    hours: tuple[HourInsight, ...]
    policies: tuple[PolicyInsight, ...]
    environments: tuple[EnvironmentInsight, ...]
    waits: Waits
    hours_compared: int
    """How many hours could be judged; the confidence of each allows for that."""
    others_compared: int
    """How many policies and environments could be judged."""


class Counting:
    """Counts decisions, which must come in the order of their instants.

    Those of `waits.PATIENCE` before and after the period should come, too; they count for waits only.
    """

    def __init__(self, compiled: CompiledPolicies, period: Interval) -> None:
        """Count those of a period, by the policies as they stand now."""
        self._policy_set = policy_set = compiled.policy_set
        self._start, self._end = period
        self._local = policy_set.home.local
        self._queue = Queue(period)
        self._hour_denials = [0] * HOURS
        self._environment_denials: Counter[str] = Counter()
        self._policy_denials: Counter[str] = Counter()
        self._policy_overrides: Counter[str] = Counter()
        self._places = CoverageIndex(compiled, period)
        self._of_request: dict[Request, _GroupKey] = {}
        self._alike: dict[tuple[int, str, str], _GroupKey] = {}

    def take(self, decisions: Iterable[Decided]) -> None:
        """Count some more decisions."""
        for decided in decisions:
            if decided.outcome == Outcome.DENY:
                self._denied(decided)
            else:
                self._allowed(decided)

    def finish(self, now: int) -> Insights:
        """What it all shows."""
        total = Tally()
        for alike in self._alike.values():
            total.add(alike.total)
        hours, policies, environments = self._hours(total), self._held_policies(), self._overridden()
        hours_compared = sum(each.comparable for each in hours)
        others_compared = sum(each.comparable for each in (*policies.values(), *environments.values()))
        of_hours, of_others = shared_out(hours_compared), shared_out(others_compared)
        waits, waits_of = self._queue.finish(now)
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

    def _denied(self, decided: Decided) -> None:
        names = {_name(each) for each in (decided.blocking or "").split(",") if each}
        self._queue.denied(decided.at, _request(decided), names)
        if self._start <= decided.at < self._end:
            self._hour_denials[self._hour_of(decided.at)] += 1
            self._environment_denials[decided.environment] += 1
            self._policy_denials.update(names)

    def _allowed(self, decided: Decided) -> None:
        at, request = decided.at, _request(decided)
        self._queue.allowed(at, request)
        if not self._start <= at < self._end:
            return
        alike = self._of_request.get(request)
        if alike is None:
            alike = self._of_request[request] = self._find_alike(request)
        overridden = decided.outcome == Outcome.OVERRIDE
        if overridden:
            self._policy_overrides.update(
                {_name(each) for each in (decided.blocking or "").split(",") if each}
            )
        reported = decided.result is not None
        failed = reported and decided.result != SUCCEEDED
        tallies = alike.tallies(at, self._hour_of(at))
        if overridden:
            tallies.append(alike.overridden)
        for tally in tallies:
            tally.deploys += 1
            tally.overrides += overridden
            tally.reported += reported
            tally.failed += failed

    def _hour_of(self, at: int) -> int:
        return (self._local(at) // HOUR + _FIRST_HOUR) % HOURS

    def _find_alike(self, request: Request) -> "_GroupKey":
        """Deploys to the same environment, of the same kind of change, to which the same policies apply."""
        _, environment, change = request
        held = self._places.held(*request)
        return self._alike.setdefault((id(held), environment, change), _GroupKey(held, environment))

    def _hours(self, total: Tally) -> list[Sides]:
        """For each hour of the week, the deploys in it and those at other times."""
        strata: list[list[tuple[Tally, Tally]]] = [[] for _ in range(HOURS)]
        for alike in self._alike.values():
            for hour, tally in alike.hours.items():
                strata[hour].append((tally, alike.total))
        return [sides(total, each) for each in strata]

    def _held_policies(self) -> dict[str, Sides]:
        """For each policy, the deploys at times at which it holds, and the others that it applies to."""
        numbers = range(len(self._policy_set.policies))
        applying = [Tally() for _ in numbers]
        strata: list[list[tuple[Tally, Tally]]] = [[] for _ in numbers]
        for alike in self._alike.values():
            for number in alike.held.applying:
                applying[number].add(alike.total)
            for number, tally in alike.inside().items():
                strata[number].append((tally, alike.total))
        return {
            policy.id: sides(applying[number], strata[number])
            for number, policy in enumerate(self._policy_set.policies)
        }

    def _overridden(self) -> dict[str, Sides]:
        """For each environment, the deploys by an override and the others.

        Those of the file in its order, then those that were there once.
        """
        known = self._policy_set.environments
        seen = {*self._environment_denials, *(alike.environment for alike in self._alike.values())}
        found = {}
        for name in [*known, *sorted(seen.difference(known))]:
            everything = Tally()
            strata = []
            for alike in self._alike.values():
                if alike.environment == name:
                    everything.add(alike.total)
                    strata.append((alike.overridden, alike.total))
            found[name] = sides(everything, strata)
        return found

    def _policies(
        self, comparisons: Mapping[str, Comparison], waits: Mapping[str, Waits]
    ) -> tuple[PolicyInsight, ...]:
        """Those of the file in its order, then the freezes together, then what is gone."""
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


class _GroupKey:
    """The deploys to one environment, of one kind of change, to which the same policies apply.

    The gate treats them all alike, so that it can't be its doing if some of them fail more often.
    """

    __slots__ = ("environment", "held", "holders", "hours", "overridden", "total")

    def __init__(self, held: Coverage, environment: str) -> None:
        self.held = held
        self.environment = environment
        self.total = Tally()
        self.overridden = Tally()
        self.hours: dict[int, Tally] = {}
        self.holders: dict[tuple[int, ...], Tally] = {}
        """By the policies that held."""

    def tallies(self, at: int, hour: int) -> list[Tally]:
        """Where a deploy is counted."""
        holders = self.held.at(at)
        return [
            self.total,
            self.hours.get(hour) or self.hours.setdefault(hour, Tally()),
            self.holders.get(holders) or self.holders.setdefault(holders, Tally()),
        ]

    def inside(self) -> dict[int, Tally]:
        """Of the policies that ever held, by their numbers, the deploys while they did."""
        found: dict[int, Tally] = {}
        for holders, tally in self.holders.items():
            for number in holders:
                found.setdefault(number, Tally()).add(tally)
        return found


def _request(decided: Decided) -> Request:
    return decided.service, decided.environment, decided.change


def _name(rule_id: str) -> str:
    """What a veto is counted under; freezes share a name."""
    return AD_HOC if rule_id.startswith(_FREEZE) else rule_id
