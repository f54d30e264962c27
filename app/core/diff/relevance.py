"""The globs that matter to a difference: of policies that one set alone has, and of those that may mask them.

All others are left out, because globs divide unlisted names into a class for each way in which they overlap.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
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
    may_meet: Callable[[str], bool] = (lambda _: True) if needed is None else _Needed(needed).may_meet
    for number in old.common:
        masking = list(filter(may_meet, old.globs_of(number)))
        if masking and _meets(old.unlisted_times(number).intervals(period), time):
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
        for interval in side.unlisted_times(number).intervals(period)
    )


class _Needed:
    """Globs of which one must match, to ask quickly which others may match the same names."""

    def __init__(self, globs: Iterable[str]) -> None:
        parts = [glob.split("*") for glob in globs]
        self._beginnings = _Beginnings(each[0] for each in parts)
        self._ends = _Beginnings(each[-1][::-1] for each in parts)

    def may_meet(self, glob: str) -> bool:
        """Return False if the beginning or the end of a glob shows that it matches no name of theirs."""
        first, *_, last = glob.split("*")
        return self._beginnings.fit(first) and self._ends.fit(last[::-1])


class _Beginnings:
    """The beginnings of names, to ask for those that a name may have together with another one."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._whole = set(texts)
        self._cut = {text[:length] for text in self._whole for length in range(len(text) + 1)}

    def fit(self, text: str) -> bool:
        return text in self._cut or any(text[:length] in self._whole for length in range(len(text)))


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
