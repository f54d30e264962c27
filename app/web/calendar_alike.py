"""Environments of a calendar that hardly differ: what one has more than another, and what less."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from app.core.decision import Stretch
from app.core.interval import Period
from app.core.wallclock import Zone
from app.gate.calendar_lanes import Lane, Part
from app.web.calendar_words import period_in_words

MOST_DIFFERENT: Final = 3
"""Freezes by which a lane may differ from another and still be told by the difference."""


_Stretches = dict[tuple[str, int | None, int | None], Stretch]
"""The freezes of a lane, by what makes them the same in another."""


class Told(NamedTuple):
    """A freeze in words."""

    title: str
    when: str
    """Empty for one without a start or an end."""


class Difference(NamedTuple):
    """The freezes of a lane, told by those of an earlier one."""

    environments: tuple[str, ...]
    """Those of the earlier lane."""
    more: tuple[Told, ...]
    less: tuple[Told, ...]


def differences(found: Sequence[Lane], period: Period, where: Zone, now: int) -> list[Difference | None]:
    """Return for each lane how little it differs from an earlier one that is drawn; None for one to draw."""
    drawn: list[tuple[Lane, _Stretches]] = []
    told: list[Difference | None] = []
    for lane in found:
        own = _stretches(lane, period)
        alike = [(other, theirs) for other, theirs in drawn if _share(lane, own, other, theirs)]
        nearest = min(alike, key=lambda each: len(own.keys() ^ each[1].keys()), default=None)
        if nearest is None or len(own.keys() ^ nearest[1].keys()) > MOST_DIFFERENT:
            drawn.append((lane, own))
            told.append(None)
            continue
        other, theirs = nearest
        more, less = _told(_without(own, theirs), where, now), _told(_without(theirs, own), where, now)
        told.append(Difference(other.environments, more, less))
    return told


def _without(some: _Stretches, others: _Stretches) -> list[Stretch]:
    return [stretch for key, stretch in some.items() if key not in others]


def _share(lane: Lane, own: _Stretches, other: Lane, theirs: _Stretches) -> bool:
    """Return whether two lanes have freezes in common, and are known as a whole."""
    return lane.whole and other.whole and not own.keys().isdisjoint(theirs)


def _stretches(lane: Lane, period: Period) -> _Stretches:
    found = [each.stretch for each in lane.scoped]
    for part in _parts(lane, period):
        found += part.rules
    return {(each.rule.id, each.start, each.end): each for each in found}


def _parts(lane: Lane, period: Period) -> Iterator[Part]:
    """Yield the parts of freezes that a period shows."""
    for run in lane.runs:
        yield from (each for each in run.parts if each.start < period.end and each.end > period.start)


def _told(stretches: Iterable[Stretch], where: Zone, now: int) -> tuple[Told, ...]:
    ordered = sorted(stretches, key=lambda each: (each.start or 0, each.rule.id))
    return tuple(Told(each.rule.title, _when(each, where, now)) for each in ordered)


def _when(stretch: Stretch, where: Zone, now: int) -> str:
    if stretch.start is None or stretch.end is None:
        return ""
    return period_in_words(stretch.start, stretch.end, where, now)
