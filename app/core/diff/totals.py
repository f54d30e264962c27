"""The time that opens and closes, by environment: the figures of headlines, tables and pictures."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from app.core.counted import counted
from app.core.diff.result import Diff, Difference, NameChanges, ServiceGroup, UnlistedNames
from app.core.instant import HOUR, MINUTE
from app.core.interval import Interval, normalise

_FEW: Final = 3
"""Environments, or groups of them, that a headline names."""

_MOST_UNKNOWN: Final = 12
"""Names of one set alone that are listed."""


_Times = tuple[Interval, ...]
_Concerned = tuple[frozenset[str], frozenset[UnlistedNames], bool, frozenset[str]]


class Total(NamedTuple):
    """The time that opens and that closes for at least one service, in one or several environments alike."""

    environments: tuple[str, ...]
    opened: tuple[Interval, ...]
    closed: tuple[Interval, ...]
    services: ServiceGroup
    """Those for which any of it opens or closes."""
    changes: tuple[str, ...]
    """The kinds of change for which any does."""

    @property
    def seconds(self) -> tuple[int, int]:
        """How long it opens, and how long it closes."""
        return _length(self.opened), _length(self.closed)


def totals(found: Diff) -> list[Total]:
    """Return the totals of all environments that differ, alike ones as one, in the order of the set."""
    alike: dict[tuple[_Times, _Times, _Concerned], list[str]] = {}
    for environment in found.environments:
        here = [each for each in found.differences if environment in each.environments]
        if here:
            key = _times(here, opens=True), _times(here, opens=False), _concerned(here)
            alike.setdefault(key, []).append(environment)
    return [
        Total(tuple(names), opened, closed, *_in_order(concerned, found))
        for (opened, closed, concerned), names in alike.items()
    ]


def _concerned(differences: Sequence[Difference]) -> _Concerned:
    """Return all services, unlisted ones and kinds of change of some differences."""
    groups = [each.services for each in differences]
    return (
        frozenset().union(*(each.names for each in groups)),
        frozenset().union(*(each.patterns for each in groups)),
        any(each.others for each in groups),
        frozenset().union(*(each.changes for each in differences)),
    )


def _in_order(concerned: _Concerned, found: Diff) -> tuple[ServiceGroup, tuple[str, ...]]:
    names, patterns, others, changes = concerned
    unlisted = tuple(filter(patterns.__contains__, found.singled_out))
    group = ServiceGroup(tuple(sorted(names)), unlisted, others)
    return group, tuple(filter(changes.__contains__, found.changes))


def headline(found: Diff, write: Callable[[str], str] = str) -> str:
    """Return ``Opens 9 hours, closes none, in production``: what changes, in one sentence.

    Args:
        found: the difference.
        write: returns the name of an environment as it is shown.
    """
    groups: dict[tuple[int, int], list[str]] = {}
    for total in totals(found):
        groups.setdefault(total.seconds, []).extend(total.environments)
    if not groups:
        return "No hours open or close" if found.is_complete else "No difference found; not all was compared"
    shown = [
        f"{_change(*seconds)} in {listed([*map(write, names)])}"
        for seconds, names in list(groups.items())[:_FEW]
    ]
    if more := len(groups) - len(shown):
        shown.append(f"and {counted(more, 'more environment differs', 'more environments differ')}")
    if not found.is_complete:
        shown.append("not all was compared")
    sentence = "; ".join(shown)
    return sentence[0].upper() + sentence[1:]


def not_compared(names: NameChanges, write: Callable[[str], str] = str) -> str | None:
    """Return a sentence of the environments and kinds of change that one set alone has; None without any."""
    parts = [
        f"{_noun(*nouns, each)} {listed([*map(write, each)], _MOST_UNKNOWN)}"
        for nouns, each in (
            (("environment", "environments"), (*names.added.environments, *names.removed.environments)),
            (("kind of change", "kinds of change"), (*names.added.changes, *names.removed.changes)),
        )
        if each
    ]
    return f"What only one set has is not compared: the {' and the '.join(parts)}." if parts else None


def _noun(one: str, several: str, names: Sequence[str]) -> str:
    return one if len(names) == 1 else several


def listed(names: Sequence[str], most: int = _FEW) -> str:
    """Return ``production, staging and 4 more``."""
    shown = list(names) if len(names) <= most + 1 else [*names[:most], f"{len(names) - most} more"]
    *rest, last = shown
    return f"{', '.join(rest)} and {last}" if rest else last


def hours_in_words(seconds: int) -> str:
    """Return ``9 hours``, ``1 hour 30 min`` or ``45 min``; seconds are rounded up to a minute."""
    hours, rest = divmod(seconds + -seconds % MINUTE, HOUR)
    named = [counted(hours, "hour")] if hours else []
    return " ".join([*named, *([f"{rest // MINUTE} min"] if rest else [])]) or "none"


def _change(opened: int, closed: int) -> str:
    if not closed:
        return f"opens {hours_in_words(opened)}, closes none,"
    if not opened:
        return f"closes {hours_in_words(closed)}, opens none,"
    return f"opens {hours_in_words(opened)} and closes {hours_in_words(closed)}"


def _times(differences: Iterable[Difference], *, opens: bool) -> _Times:
    return tuple(
        normalise(
            (hours.start, hours.end) for each in differences for hours in each.hours if hours.opens is opens
        )
    )


def _length(intervals: Iterable[Interval]) -> int:
    return sum(end - start for start, end in intervals)
