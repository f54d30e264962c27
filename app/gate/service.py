"""The state of one service in every environment, with the freezes to come and the policies behind them."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Final, NamedTuple

from app.core.decision import Decision, Question, Stretch
from app.core.instant import DAY, LATEST
from app.core.policy import Effect, Policy
from app.core.scope import ScopeTimeline
from app.core.wallclock import Zone
from app.gate.in_force import InForce

AHEAD: Final = 92 * DAY
"""Seconds ahead that freezes are listed for: a quarter."""

MOST_COMING: Final = 4
"""Freezes to come that are listed for an environment."""

_MOST_NAMED: Final = 3
"""Rules that are named of a freeze to come; a quarter may have thousands that overlap."""

_MOST_ALIKE: Final = 5


class ComingFreeze(NamedTuple):
    """An uninterrupted time in which a service may not be deployed; instants in seconds, UTC."""

    start: int
    end: int | None
    """None if it does not end within two years."""
    zone: Zone
    """The zone of its first rule, to show its bounds in."""
    titles: tuple[str, ...]
    """The titles of its first rules."""
    more: int
    """The number of rules that are not named."""


class ServiceState(NamedTuple):
    """The state of a service in environments where the same rules apply to it."""

    environments: tuple[str, ...]
    decision: Decision
    zone: Zone
    """The zone of the rule that blocks, or will close it; else that of the policies."""
    coming: tuple[ComingFreeze, ...]
    timeline: ScopeTimeline

    @property
    def is_incident(self) -> bool:
        """Whether an ad-hoc freeze is among the rules that block it."""
        return any(stretch.rule.kind == "freeze" for stretch in self.decision.blocking)


class Service(NamedTuple):
    """A service as the policies in force see it."""

    name: str
    tags: tuple[str, ...]
    is_listed: bool
    """Whether it is in the catalogue, or there is no catalogue."""
    states: tuple[ServiceState, ...]
    """Frozen ones first; otherwise in the order of the policy file."""
    coming: tuple[tuple[ComingFreeze, tuple[str, ...]], ...]
    """The freezes to come, the next one first, each once with the environments that have it."""
    policies: tuple[Policy, ...]
    """Those that apply to it in any environment, in the order of the file."""

    @property
    def frozen(self) -> list[ServiceState]:
        """The states in which something blocks it, those of an incident first."""
        found = [each for each in self.states if not each.decision.allowed]
        return sorted(found, key=lambda each: not each.is_incident)

    @property
    def opened(self) -> list[ServiceState]:
        """The states in which nothing blocks it."""
        return [each for each in self.states if each.decision.allowed]


def service(in_force: InForce, name: str, now: int) -> Service:
    """Return the state of a service, for the usual kind of change.

    Raises:
        UnknownNameError: the policies list no such service, and refuse those that they don't list.
    """
    policy_set, engine = in_force.policy_set, in_force.engine
    groups: dict[tuple[ScopeTimeline, str], list[str]] = {}
    for environment, settings in policy_set.environments.items():
        timeline = engine.scope(name, environment, policy_set.usual_change)
        groups.setdefault((timeline, settings.kind), []).append(environment)
    states = [_state(in_force, timeline, name, tuple(names), now) for (timeline, _), names in groups.items()]
    applying = {id(line.rule) for timeline, _ in groups for line in timeline.lines}
    return Service(
        name,
        tuple(sorted(policy_set.tags_of(name))),
        policy_set.services is None or name in policy_set.services,
        tuple(sorted(_merged(states), key=lambda each: each.decision.allowed)),
        tuple(_planned(states)),
        tuple(policy for policy in policy_set.policies if id(policy) in applying),
    )


def alike(in_force: InForce, name: str) -> list[str]:
    """Return services of the catalogue whose names are like this one, the likest first."""
    known = list(in_force.policy_set.services or ())
    wanted = name.lower()
    containing = [each for each in known if wanted and wanted in each]
    return [*dict.fromkeys([*get_close_matches(wanted, known, _MOST_ALIKE, 0.5), *containing])][:_MOST_ALIKE]


def _state(
    in_force: InForce, timeline: ScopeTimeline, name: str, environments: tuple[str, ...], now: int
) -> ServiceState:
    question = Question(name, environments[0], in_force.policy_set.usual_change)
    decision = in_force.engine.decide_in(timeline, question, now)
    rules = decision.blocking or decision.closing
    where = rules[0].zone if rules else in_force.home
    return ServiceState(environments, decision, where, tuple(_coming(timeline, decision)), timeline)


def _merged(states: Iterable[ServiceState]) -> list[ServiceState]:
    """Return the states, those that look the same as one."""
    merged: list[ServiceState] = []
    for each in states:
        place = next((number for number, one in enumerate(merged) if _shown(one) == _shown(each)), None)
        if place is None:
            merged.append(each)
        else:
            names = (*merged[place].environments, *each.environments)
            merged[place] = merged[place]._replace(environments=names)
    return merged


def _planned(states: Iterable[ServiceState]) -> Iterator[tuple[ComingFreeze, tuple[str, ...]]]:
    """Yield each freeze to come once, with the environments that have it."""
    places: dict[ComingFreeze, list[str]] = {}
    for each in states:
        for freeze in each.coming:
            places.setdefault(freeze, []).extend(each.environments)
    for freeze in sorted(places, key=lambda each: each.start):
        yield freeze, tuple(places[freeze])


def _shown(each: ServiceState) -> tuple[object, ...]:
    """Return what a page shows of a state; the environments may differ in rules that are over, or later."""
    decision = each.decision
    return (
        decision.kind,
        decision.blocking,
        decision.warnings,
        decision.flips_at,
        decision.following,
        decision.closing,
        [(freeze.start, freeze.zone) for freeze in each.coming[:1]],
    )


def _coming(timeline: ScopeTimeline, decision: Decision) -> Iterator[ComingFreeze]:
    """Yield the freezes after the present state, the next one first."""
    if decision.flips_at is None:
        return
    after = decision.opens_at or decision.at
    until = min(decision.at + AHEAD, LATEST)
    for start, end in islice(timeline.freezes(after, until), MOST_COMING):
        rules = _rules(timeline.vetoes(start, min(end, start + AHEAD)))
        yield ComingFreeze(
            start,
            end if end < LATEST else None,
            rules[0].zone,
            tuple(each.rule.title for each in rules[:_MOST_NAMED]),
            max(len(rules) - _MOST_NAMED, 0),
        )


def _rules(stretches: tuple[Stretch, ...]) -> list[Stretch]:
    """Return the stretches in the order in which they begin; those without a known start first."""
    vetoing = (each for each in stretches if each.rule.effect is not Effect.WARN)
    return sorted(vetoing, key=lambda each: each.start or 0)
