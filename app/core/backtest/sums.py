"""The counts of a backtest; memory is bounded, whatever names the record holds."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from app.core.backtest.fates import Backtest, Example, Fate, Group, PolicyEffect, UnknownName
from app.core.comparison import Comparison, Sides, Tally, compare, sides
from app.core.coverage import Coverage
from app.core.policy import Effect, Policy
from app.core.proportion import shared_out
from app.core.rollup import SUCCEEDED
from app.core.vetoes import Veto

MOST_NAMES: Final = 10_000
"""Names of a kind that are counted by name: anybody may make up services. Further ones count as `OTHERS`."""

OTHERS: Final = ""
"""No service or environment is called that."""


class Place:
    """The decisions of one service, environment and kind of change."""

    __slots__ = ("cells", "change", "coverage", "environment", "service", "unlisted", "unlisted_name")

    def __init__(self, service: str, environment: str, change: str, coverage: Coverage | None) -> None:
        """Begin without decisions."""
        self.service = service
        self.environment = environment
        self.change = change
        self.coverage = coverage
        """None if the candidate doesn't list the environment or the kind of change."""
        self.unlisted_name = ("", "")
        """The field and the name that it doesn't list."""
        self.unlisted = 0
        """Decisions that can't be judged."""
        self.cells: Counter[tuple[Fate, Veto, str | None]] = Counter()
        """Decisions by fate, veto and result."""


class _Stratum:
    """The deploys of one kind of change to one environment, to which the same policies apply."""

    __slots__ = ("inside", "stopped", "total")

    def __init__(self) -> None:
        self.total = Tally()
        self.stopped = Tally()
        self.inside: dict[int, Tally] = {}
        """Deploys by each policy that vetoes them."""


class Sums:
    """The counts of all decisions."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Begin without decisions, for the policies of a candidate."""
        self.policies = policies
        self.fates: Counter[Fate] = Counter()
        self.hours: Counter[tuple[int, Fate]] = Counter()
        self.former: Counter[str] = Counter()
        self._services: dict[str, Counter[Fate]] = {}
        self._environments: dict[str, Counter[Fate]] = {}
        self._unlisted: Counter[tuple[str, str]] = Counter()
        self._strata: dict[tuple[int, str, str], _Stratum] = {}
        self._coverages: dict[int, Coverage] = {}
        self._overridden = Tally()
        self._for_good = self._frozen = 0
        self._alone: Counter[int] = Counter()
        self._vetoed: dict[Fate, Counter[int]] = {}
        """Decisions by fate, and by each policy that vetoes them."""

    def add(self, place: Place) -> None:
        """Add the decisions of a place."""
        coverage = place.coverage
        if place.unlisted_name[0]:
            self._add_unlisted(place)
        if coverage is None:
            return
        self._coverages[id(coverage)] = coverage
        key = (id(coverage), place.environment, place.change)
        stratum = self._strata.get(key) or self._strata.setdefault(key, _Stratum())
        groups = _bounded(self._services, place.service), _bounded(self._environments, place.environment)
        for (fate, veto, result), count in place.cells.items():
            self.fates[fate] += count
            for group in groups:
                group[fate] += count
            self._add_vetoed(fate, veto, count)
            tally = _tally(result, count)
            if fate in _DEPLOYS:
                _add_deploys(stratum, veto, tally)
            elif fate in _BY_TOKEN:
                self._overridden.add(tally)

    def _add_unlisted(self, place: Place) -> None:
        self.fates[Fate.UNKNOWN] += place.unlisted
        field, name = place.unlisted_name
        if (field, name) not in self._unlisted and len(self._unlisted) >= MOST_NAMES:
            name = OTHERS
        self._unlisted[field, name] += place.unlisted + place.cells.total()

    def _add_vetoed(self, fate: Fate, veto: Veto, count: int) -> None:
        counts = self._vetoed.setdefault(fate, Counter())
        for number in veto.policies:
            counts[number] += count
        if fate is Fate.STOPPED:
            self._for_good += count * veto.for_good
            if len(veto.policies) == 1:
                self._alone[veto.policies[0]] += count
        if fate is Fate.DENIED and not veto:
            self._frozen += count

    def result(self, examples: dict[Fate, tuple[Example, ...]]) -> Backtest:
        """Return the result."""
        deploys, stopped = Tally(), Tally()
        for stratum in self._strata.values():
            deploys.add(stratum.total)
            stopped.add(stratum.stopped)
        in_all = sides(deploys, [(each.stopped, each.total) for each in self._strata.values()])
        by_policy = self._sides()
        compared = sum(each.comparable for each in (in_all, *by_policy.values()))
        confidence = shared_out(compared)
        unlisted = [UnknownName(*name, count) for name, count in self._unlisted.most_common()]
        return Backtest(
            fates=self.fates,
            deploys=deploys,
            stopped=stopped,
            stopped_for_good=self._for_good,
            comparison=compare(in_all, confidence),
            overridden=self._overridden,
            denied_by_freezes=self._frozen,
            policies=tuple(
                self._effect(number, compare(each, confidence)) for number, each in by_policy.items()
            ),
            former=self.former,
            services={name: _group(fates) for name, fates in self._services.items()},
            environments={name: _group(fates) for name, fates in self._environments.items()},
            hours=self._by_hour(),
            refused=tuple(each for each in unlisted if each.field == "service"),
            unknown=tuple(each for each in unlisted if each.field != "service"),
            examples=examples,
            compared=compared,
        )

    def _sides(self) -> dict[int, Sides]:
        """Return, for each policy that can veto, the deploys that it vetoes, and all that it applies to."""
        applying = [Tally() for _ in self.policies]
        strata: list[list[tuple[Tally, Tally]]] = [[] for _ in self.policies]
        for (coverage, _, _), stratum in self._strata.items():
            for number in self._coverages[coverage].applying:
                applying[number].add(stratum.total)
            for number, tally in stratum.inside.items():
                strata[number].append((tally, stratum.total))
        return {
            number: sides(applying[number], strata[number])
            for number, policy in enumerate(self.policies)
            if policy.effect is not Effect.WARN
        }

    def _effect(self, number: int, comparison: Comparison) -> PolicyEffect:
        return PolicyEffect(
            policy=self.policies[number],
            stopped=self._vetoed_by(number, Fate.STOPPED),
            alone=self._alone[number],
            overridden=self._vetoed_by(number, Fate.TOKEN, Fate.NEVER),
            denied=self._vetoed_by(number, Fate.DENIED),
            comparison=comparison,
        )

    def _vetoed_by(self, number: int, *fates: Fate) -> int:
        return sum(self._vetoed[fate][number] for fate in fates if fate in self._vetoed)

    def _by_hour(self) -> dict[int, Group]:
        found: dict[int, Counter[Fate]] = {}
        for (hour, fate), count in self.hours.items():
            found.setdefault(hour, Counter())[fate] += count
        return {hour: _group(found[hour]) for hour in sorted(found)}


_DEPLOYS: Final = frozenset({Fate.KEPT, Fate.STOPPED, Fate.REFUSED})
_BY_TOKEN: Final = frozenset({Fate.FREE, Fate.TOKEN, Fate.NEVER})


def _bounded(groups: dict[str, Counter[Fate]], name: str) -> Counter[Fate]:
    """Return the counts of a name, or of all names beyond the limit."""
    if name not in groups and len(groups) >= MOST_NAMES:
        name = OTHERS
    return groups.setdefault(name, Counter())


def _tally(result: str | None, count: int) -> Tally:
    reported = result is not None
    return Tally(count, 0, count * reported, count * (reported and result != SUCCEEDED))


def _add_deploys(stratum: _Stratum, veto: Veto, tally: Tally) -> None:
    stratum.total.add(tally)
    if veto:
        stratum.stopped.add(tally)
    for number in veto.policies:
        stratum.inside.setdefault(number, Tally()).add(tally)


def _group(fates: Counter[Fate]) -> Group:
    stopped = fates[Fate.STOPPED] + fates[Fate.REFUSED]
    return Group(
        deploys=fates[Fate.KEPT] + stopped,
        stopped=stopped,
        denied=fates[Fate.DENIED] + fates[Fate.ALLOWED],
        allowed=fates[Fate.ALLOWED],
    )
