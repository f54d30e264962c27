"""What a period of decisions shows: when deploys fail, what policies stop, how long deploys waited.

Decisions are counted one by one as they come, and none is held. Two lists are judged, each as a
whole: the hours of the week, and the policies with the environments. In each, all verdicts together
are wrong by chance in one of twenty periods at most (see `proportion.shared_out`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from app.core.answer import AD_HOC
from app.core.comparison import Comparison, Tally, comparable, compare
from app.core.decision import Outcome
from app.core.held import Held, Places
from app.core.instant import HOUR
from app.core.interval import Interval
from app.core.policy import Policy, PolicySet
from app.core.proportion import shared_out
from app.core.waits import NO_WAITS, Queue, Waits
from app.core.wallclock import zone

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

    def __init__(self, policy_set: PolicySet, period: Interval) -> None:
        """Count those of a period, by the policies as they stand now."""
        self._policy_set = policy_set
        self._start, self._end = period
        self._local = zone(policy_set.timezone).local
        self._queue = Queue(period)
        self._hours = [Tally() for _ in range(HOURS)]
        self._hour_denials = [0] * HOURS
        self._by_override: dict[str, Tally] = {}
        self._by_environment: dict[str, Tally] = {}
        self._environment_denials: Counter[str] = Counter()
        self._policy_denials: Counter[str] = Counter()
        self._policy_overrides: Counter[str] = Counter()
        self._places = Places(policy_set, period)
        self._held: dict[tuple[str, str], _Segments] = {}
        self._segments: dict[int, _Segments] = {}

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
        for tally in self._hours:
            total.add(tally)
        judged = [each for each in self._hours if comparable(each, total.without(each))]
        pairs = self._pairs()
        overridden = {
            name: (self._by_override.get(name, Tally()), tally)
            for name, tally in self._by_environment.items()
        }
        compared = sum(
            comparable(*each)
            for each in (*pairs.values(), *((by, every.without(by)) for by, every in overridden.values()))
        )
        confidence = shared_out(compared)
        waits, waits_of = self._queue.finish(now)
        return Insights(
            denials=sum(self._hour_denials),
            total=total,
            hours=tuple(self._hour(number, total, shared_out(len(judged))) for number in range(HOURS)),
            policies=self._policies(
                {name: compare(*pair, confidence) for name, pair in pairs.items()}, waits_of
            ),
            environments=tuple(
                EnvironmentInsight(
                    name, self._environment_denials[name], every, compare(by, every.without(by), confidence)
                )
                for name in self._environment_names()
                for by, every in [overridden.get(name, (Tally(), Tally()))]
            ),
            waits=waits,
            hours_compared=len(judged),
            others_compared=compared,
        )

    def _denied(self, decided: Decided) -> None:
        names = {_name(each) for each in (decided.blocking or "").split(",") if each}
        self._queue.denied(decided.at, (decided.service, decided.environment), names)
        if self._start <= decided.at < self._end:
            self._hour_denials[self._hour_of(decided.at)] += 1
            self._environment_denials[decided.environment] += 1
            self._policy_denials.update(names)

    def _allowed(self, decided: Decided) -> None:
        at, key = decided.at, (decided.service, decided.environment)
        self._queue.allowed(at, key)
        if not self._start <= at < self._end:
            return
        segments = self._held.get(key)
        if segments is None:
            segments = self._held[key] = self._segments_of(key)
        overridden = decided.outcome == Outcome.OVERRIDE
        tallies = [
            self._hours[self._hour_of(at)],
            self._by_environment.setdefault(decided.environment, Tally()),
            segments.tally(at),
        ]
        if overridden:
            tallies.append(self._by_override.setdefault(decided.environment, Tally()))
            self._policy_overrides.update(
                {_name(each) for each in (decided.blocking or "").split(",") if each}
            )
        reported = decided.result is not None
        failed = reported and decided.result != SUCCEEDED
        for tally in tallies:
            tally.deploys += 1
            tally.overrides += overridden
            tally.reported += reported
            tally.failed += failed

    def _hour_of(self, at: int) -> int:
        return (self._local(at) // HOUR + _FIRST_HOUR) % HOURS

    def _segments_of(self, key: tuple[str, str]) -> "_Segments":
        held = self._places.held(*key)
        return self._segments.setdefault(id(held), _Segments(held))

    def _hour(self, number: int, total: Tally, confidence: float) -> HourInsight:
        tally = self._hours[number]
        comparison = compare(tally, total.without(tally), confidence)
        return HourInsight(number // 24, number % 24, self._hour_denials[number], comparison)

    def _pairs(self) -> dict[str, tuple[Tally, Tally]]:
        """For each policy, the deploys at times at which it holds, and the others that it applies to."""
        inside = {number: Tally() for number in range(len(self._policy_set.policies))}
        applying = {number: Tally() for number in inside}
        for segments in self._segments.values():
            segments.share_out(inside, applying)
        return {
            policy.id: (inside[number], applying[number].without(inside[number]))
            for number, policy in enumerate(self._policy_set.policies)
        }

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

    def _environment_names(self) -> list[str]:
        """Those of the file in its order, then those that were there once."""
        known = self._policy_set.environments
        return [*known, *sorted({*self._by_environment, *self._environment_denials}.difference(known))]


class _Segments:
    """The deploys of services for which the same policies hold, by the segment of time."""

    __slots__ = ("_held", "_tallies")

    def __init__(self, held: Held) -> None:
        self._held = held
        self._tallies: dict[int, Tally] = {}

    def tally(self, at: int) -> Tally:
        """Those of the segment of an instant."""
        segment = self._held.segment(at)
        found = self._tallies.get(segment)
        if found is None:
            found = self._tallies[segment] = Tally()
        return found

    def share_out(self, inside: Mapping[int, Tally], applying: Mapping[int, Tally]) -> None:
        """Count them for the policies that hold in their segment, and for those that apply at all."""
        every = Tally()
        for segment, tally in self._tallies.items():
            every.add(tally)
            for number in self._held.holders[segment]:
                inside[number].add(tally)
        for number in self._held.applying:
            applying[number].add(every)


def _name(rule_id: str) -> str:
    """What a veto is counted under; freezes share a name."""
    return AD_HOC if rule_id.startswith(_FREEZE) else rule_id
