"""The globs that matter to a difference: of policies that one set alone has, and of those that may mask them.

All others are left out, because globs divide unlisted names into a class for each way in which they overlap.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from app.core.diff.sides import Side
from app.core.interval import Interval, normalise


class RelevantGlobs(NamedTuple):
    """The globs that may tell unlisted services apart."""

    globs: Collection[str]
    needed: Collection[str] | None
    """Those of which one must match for the answers to differ; None if they may differ without any."""


def relevant_globs(old: Side, new: Side, period: Interval) -> RelevantGlobs:
    """Return the globs by which the difference for unlisted services may vary."""
    needed = None if _all_differ(old, new) else _needed(old, new)
    if needed is not None and not needed:
        return RelevantGlobs((), ())
    time = [period] if _all_differ(old, new) else _own_time(old, new, period)
    globs = _own_globs(old) | _own_globs(new)
    for number in old.common:
        masking = _overlapping(old.globs_of(number), needed)
        if masking and _meets(old.unlisted_line(number).intervals(period), time):
            globs.update(masking)
    return RelevantGlobs(globs, needed)


def _own_globs(side: Side) -> set[str]:
    return {glob for number in side.own for glob in side.globs_of(number)}


def _all_differ(old: Side, new: Side) -> bool:
    """Return whether unlisted services may differ for more reasons than policies of one set alone."""
    zones = {side.policy_set.timezone for side in (old, new)}
    return len(zones) > 1 or old.policy_set.refuses_unknown or new.policy_set.refuses_unknown


def _needed(old: Side, new: Side) -> Collection[str] | None:
    of_old, of_new = old.needed_globs(), new.needed_globs()
    return None if of_old is None or of_new is None else {*of_old, *of_new}


def _own_time(old: Side, new: Side, period: Interval) -> list[Interval]:
    """Return when any policy vetoes that one set alone has."""
    return normalise(
        interval
        for side in (old, new)
        for number in side.own
        for interval in side.unlisted_line(number).intervals(period)
    )


def _overlapping(globs: Iterator[str], needed: Collection[str] | None) -> list[str]:
    """Return the globs that may match a name that a needed one matches."""
    return [glob for glob in globs if needed is None or any(may_overlap(glob, other) for other in needed)]


def may_overlap(one: str, other: str) -> bool:
    """Return False if the beginnings or the ends of two globs show that no name matches both."""
    beginnings = one.partition("*")[0], other.partition("*")[0]
    ends = one.rpartition("*")[2], other.rpartition("*")[2]
    return _fit(*beginnings) and _fit(ends[0][::-1], ends[1][::-1])


def _fit(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _meets(line: Sequence[Interval], time: Sequence[Interval]) -> bool:
    """Return whether two normal lists have an instant in common."""
    first, second = 0, 0
    while first < len(line) and second < len(time):
        if line[first][1] <= time[second][0]:
            first += 1
        elif time[second][1] <= line[first][0]:
            second += 1
        else:
            return True
    return False
