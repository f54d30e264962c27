"""Count recorded decisions by their fates under a candidate."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from app.core.backtest.fates import SHOWN, Backtest, Example, Fate, Recorded, fate_of
from app.core.backtest.sums import Place, Sums
from app.core.compiled import CompiledPolicies
from app.core.coverage import Coverage
from app.core.decision import in_words, names_of
from app.core.instant import MINUTE
from app.core.interval import Interval
from app.core.rollup_sums import hour_of_week
from app.core.vetoes import REFUSED, Veto, Vetoes

EXAMPLES: Final = 10
"""Decisions of each fate that are kept as examples, the newest."""

_MOST_PLACES: Final = 20_000
"""Places that are held at a time; beyond, they are counted and dropped."""

_NO_VETO: Final = Veto((), (), for_good=False)


class Backtesting:
    """Count decisions, in any order; the examples are the last ones."""

    def __init__(self, compiled: CompiledPolicies, period: Interval, examples: int = EXAMPLES) -> None:
        """Count the decisions of a period under the policies of a candidate."""
        self._compiled = compiled
        self._local = compiled.policy_set.home.local
        self._vetoes = Vetoes(compiled, period)
        self._refused = Coverage(())
        """That of services which are refused: no policy applies."""
        self._places: dict[tuple[str, str, str], Place] = {}
        self._minute, self._hour = -1, 0
        self._sums = Sums(compiled.policy_set.policies)
        self._examples: dict[Fate, deque[Example]] = {fate: deque(maxlen=examples) for fate in SHOWN}

    def take(self, decisions: Iterable[Recorded]) -> None:
        """Count more decisions."""
        places, hours, vetoes = self._places, self._sums.hours, self._vetoes
        for recorded in decisions:
            _, _, at, service, environment, change, duration, _, _, result, first_at, first_duration = (
                recorded
            )
            place = places.get((service, environment, change)) or self._place(service, environment, change)
            coverage = place.coverage
            if coverage is None:
                self._show(Fate.UNKNOWN, recorded, _NO_VETO)
                place.unlisted += 1
                continue
            if coverage is self._refused:
                veto = REFUSED
            elif first_at is None or first_duration is None:
                veto = vetoes.of_deploy(coverage, at, duration)
            else:
                veto = vetoes.of_step(coverage, at, duration, (first_at, first_duration))
            fate = fate_of(recorded, veto)
            place.cells[fate, veto, result] += 1
            hours[self._hour_of(at), fate] += 1
            if fate in SHOWN:
                self._show(fate, recorded, veto)

    def finish(self) -> Backtest:
        """Return the fates of everything counted."""
        self._fold()
        shown = {fate: tuple(reversed(examples)) for fate, examples in self._examples.items()}
        return self._sums.result(shown)

    def _place(self, service: str, environment: str, change: str) -> "Place":
        """Return the place of a request that isn't held."""
        if len(self._places) >= _MOST_PLACES:
            self._fold()
        names = names_of(service)
        lacking = (self._compiled.unlisted(name, environment, change) for name in names)
        unlisted = next(filter(None, lacking), None)
        coverage: Coverage | None
        if unlisted is None:
            coverage = self._vetoes.coverage(service, environment, change)
        else:
            coverage = self._refused if unlisted[0] == "service" else None
        place = Place(in_words(names), environment, change, coverage)
        if unlisted is not None:
            place.unlisted_name = unlisted[:2]
        self._places[service, environment, change] = place
        return place

    def _hour_of(self, at: int) -> int:
        """Return the hour of the week; cached by the minute, because clocks change at whole minutes."""
        minute = at // MINUTE
        if minute != self._minute:
            self._minute, self._hour = minute, hour_of_week(self._local(at))
        return self._hour

    def _show(self, fate: Fate, recorded: Recorded, veto: Veto) -> None:
        if fate is Fate.ALLOWED:
            ids = tuple((recorded.blocking or "").split(","))
            self._sums.former.update(ids)
        else:
            ids = tuple(self._sums.policies[number].id for number in veto.policies)
        readable = recorded._replace(service=in_words(names_of(recorded.service)))
        self._examples[fate].append(Example(readable, ids))

    def _fold(self) -> None:
        """Add what the places hold to the sums, and drop them."""
        for place in self._places.values():
            self._sums.add(place)
        self._places.clear()
