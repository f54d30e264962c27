"""The freezes of every environment in a period, to be drawn: each once, and equal environments once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from app.core.decision import Rule, Stretch
from app.core.instant import DAY, EARLIEST, LATEST, in_range
from app.core.interval import Period
from app.core.policy import Effect, Selector
from app.core.scope import ScopeTimeline, Segment
from app.gate.in_force import InForce
from app.gate.policy_windows import selectors_json

MOST_SEGMENTS: Final = 4_000
"""Segments of an environment in a period; a policy of every minute would make a page of many megabytes."""

_BESIDE: Final = 21 * DAY
"""Seconds before and after a period that are looked at, so that a freeze at its edge has its own bounds."""

MOST_SCOPED: Final = 500
"""Stretches of freezes of single services or tags in an environment."""


class Part(NamedTuple):
    """A part of a freeze in which the same rules block; instants in seconds, UTC."""

    start: int
    end: int
    rules: tuple[Stretch, ...]
    """The one that the part is drawn in comes first."""


class Run(NamedTuple):
    """A freeze: an uninterrupted time in which deploys are blocked, by whatever rules."""

    start: int
    end: int
    parts: tuple[Part, ...]

    @property
    def rules(self) -> list[Stretch]:
        """The stretches of its rules, each rule once, in the order in which they begin to block."""
        found: dict[str, Stretch] = {}
        for part in self.parts:
            for stretch in part.rules:
                found.setdefault(stretch.rule.id, stretch)
        return list(found.values())


class ScopedFreeze(NamedTuple):
    """A time in which only some services are frozen, cut to the period."""

    start: int
    end: int
    stretch: Stretch
    applies_to: list[dict[str, Any]] | None
    """The selectors, in the form of the policy file."""


class Lane(NamedTuple):
    """The freezes of environments that have the same ones in a period."""

    environments: tuple[str, ...]
    runs: tuple[Run, ...]
    scoped: tuple[ScopedFreeze, ...]
    whole: bool
    """False if there are too many changes to draw; then `runs` is empty."""


def lanes(in_force: InForce, period: Period, service: str | None = None) -> list[Lane]:
    """Return the freezes of each environment for the usual kind of change, in the order of the policy file.

    Args:
        in_force: the policies and ad-hoc freezes.
        period: the time to look at.
        service: the service that it is about; without it, what applies to any service, and beside that the
            freezes of single services or tags.

    Raises:
        UnknownNameError: the policies list no such service, and refuse those that they don't list.
        OutOfRangeError: the period reaches outside the years 2000 to 2100.
    """
    in_range(period.start)
    in_range(period.end - 1)
    names = in_force.policy_set.environments
    return grouped(_lane(in_force, environment, period, service) for environment in names)


def grouped(lanes_of_each: Iterable[Lane]) -> list[Lane]:
    """Return the lanes, those with the same freezes as one."""
    found: list[Lane] = []
    for lane in lanes_of_each:
        place = next((at for at, other in enumerate(found) if other[1:] == lane[1:]), None)
        if place is None:
            found.append(lane)
        else:
            names = (*found[place].environments, *lane.environments)
            found[place] = lane._replace(environments=names)
    return found


def _lane(in_force: InForce, environment: str, period: Period, service: str | None) -> Lane:
    engine, change = in_force.engine, in_force.policy_set.usual_change
    timeline = engine.scope(service, environment, change) if service else engine.environment(environment)
    start, end = max(period.start - _BESIDE, EARLIEST), min(period.end + _BESIDE, LATEST)
    segments = tuple(islice(timeline.segments(start, end), MOST_SEGMENTS + 1))
    whole = len(segments) <= MOST_SEGMENTS
    scoped = () if service else tuple(islice(_scoped(in_force, environment, timeline, period), MOST_SCOPED))
    return Lane((environment,), within(runs_of(segments), period) if whole else (), scoped, whole)


def within(runs: Iterable[Run], period: Period) -> tuple[Run, ...]:
    """Return the freezes that have a part in a period."""
    return tuple(each for each in runs if each.start < period.end and each.end > period.start)


def runs_of(segments: Iterable[Segment]) -> Iterator[Run]:
    """Yield the freezes: neighbouring segments in which anything blocks are one."""
    pending: list[Segment] = []
    for segment in segments:
        if pending and not (segment.blocking and segment.start == pending[-1].end):
            yield _run(pending)
            pending = []
        if segment.blocking:
            pending.append(segment)
    if pending:
        yield _run(pending)


def _run(segments: list[Segment]) -> Run:
    """Return a freeze whose parts are led by an ad-hoc freeze, or by the rule that blocks longest of all."""
    seconds: Counter[str] = Counter()
    for segment in segments:
        for stretch in segment.blocking:
            seconds[stretch.rule.id] += segment.end - segment.start

    def rank(stretch: Stretch) -> tuple[bool, int]:
        return stretch.rule.kind != "freeze", -seconds[stretch.rule.id]

    parts = tuple(Part(each.start, each.end, tuple(sorted(each.blocking, key=rank))) for each in segments)
    return Run(segments[0].start, segments[-1].end, parts)


def _scoped(
    in_force: InForce, environment: str, timeline: ScopeTimeline, period: Period
) -> Iterator[ScopedFreeze]:
    """Yield the stretches of rules that reach an environment, but not every service in it."""
    general = {id(line.rule) for line in timeline.lines}
    change = in_force.policy_set.usual_change
    for freeze in in_force.engine.freezes:
        if id(freeze) not in general and _reaches((freeze.selector,), environment, change):
            stretch = Stretch(freeze, in_force.home, freeze.starts_at, freeze.until)
            if not freeze.never_holds:
                yield from _cut(stretch, selectors_json([freeze.selector]), period)
    for policy in in_force.policy_set.policies:
        selectors = policy.applies_to
        if policy.effect is Effect.WARN or id(policy) in general or selectors is None:
            continue
        if _reaches(selectors, environment, change):
            for line in in_force.engine.timelines(policy.id):
                for stretch in line.stretches(period.start, period.end):
                    yield from _cut(stretch, selectors_json(selectors), period)


def _reaches(selectors: Iterable[Selector], environment: str, change: str) -> bool:
    return any(
        (each.environments is None or environment in each.environments)
        and (each.changes is None or change in each.changes)
        for each in selectors
    )


def _cut(stretch: Stretch, applies_to: list[dict[str, Any]] | None, period: Period) -> Iterator[ScopedFreeze]:
    start = period.start if stretch.start is None else max(stretch.start, period.start)
    end = period.end if stretch.end is None else min(stretch.end, period.end)
    if start < end:
        yield ScopedFreeze(start, end, stretch, applies_to)


def rules_of(found: Iterable[Lane]) -> list[Rule]:
    """Return the rules that are drawn, each once, ad-hoc freezes first."""
    rules: dict[str, Rule] = {}
    for lane in found:
        for run in lane.runs:
            for stretch in run.rules:
                rules.setdefault(stretch.rule.id, stretch.rule)
        for each in lane.scoped:
            rules.setdefault(each.stretch.rule.id, each.stretch.rule)
    return sorted(rules.values(), key=lambda rule: rule.kind != "freeze")
