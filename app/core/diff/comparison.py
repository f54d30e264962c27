"""Compare two policy sets: the hours that open or close between them, and for whom."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

from app.core.diff.grouping import Found, Groups, grouped
from app.core.diff.hours import Vetoer, Vetoers, hours_of
from app.core.diff.limits import Work
from app.core.diff.policies import alike, name_changes, pair, policy_changes
from app.core.diff.relevance import RelevantGlobs, relevant_globs
from app.core.diff.result import Diff, Difference, Hours
from app.core.diff.scopes import Cells, Mask, split
from app.core.diff.sides import Applying, Side
from app.core.diff.totals import not_compared
from app.core.diff.unlisted import UnlistedClasses, unlisted_classes
from app.core.diff.veto_times import VetoTimes, VetoTimesCache
from app.core.engine import Engine
from app.core.interval import Interval

_TOO_MANY: Final = (
    "The patterns of service names overlap in too many ways to compare all of them. Services that no "
    "catalogue lists and that match several patterns may differ, too."
)


def diff(
    old: Engine,
    new: Engine,
    period: Interval,
    checkpoint: Callable[[], None] = lambda: None,
    most_found: int | None = None,
) -> Diff:
    """Return what changes within a period if one policy set takes the place of another.

    Args:
        old: the policies before.
        new: those after.
        period: the instants that are compared.
        checkpoint: called now and then; may raise an error to give up.
        most_found: the stretches and ids that may be found; `MOST_FOUND` if left out.

    Raises:
        TooManyHoursError: it would take too long; a shorter period may help.
    """
    before, after = old.policy_set, new.policy_set
    pairing, work = pair(before, after), Work(checkpoint, most_found)
    cells = Cells(_both(before.environments, after.environments), _both(before.changes, after.changes))
    times = VetoTimesCache(old.compiled, new.compiled, work)
    shared = alike(before, after, pairing)
    old_side = Side(old.compiled, cells, times, {number: number for number in shared.values()}, is_new=False)
    new_side = Side(new.compiled, cells, times, shared, is_new=True)
    comparison = _Comparison(old_side, new_side, cells, period, work)
    named, relevant, unlisted = comparison.universe()
    found = comparison.compare((*named, *(each.sample for each in unlisted.classes)))
    groups, apart = grouped(found, named, unlisted.classes)
    names = name_changes(before, after)
    limits = not_compared(names), None if unlisted.complete else _TOO_MANY
    return Diff(
        period,
        policy_changes(before, after, pairing),
        names,
        tuple(_differences(groups, cells)),
        cells.environments,
        cells.changes,
        tuple(named),
        tuple(sorted(relevant.globs)),
        apart,
        tuple(filter(None, limits)),
        bool(old_side.own or new_side.own or names.changed_services),
    )


def _both(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Return the names that both sets have."""
    known = set(before)
    return [name for name in after if name in known]


def _differences(groups: Groups, cells: Cells) -> Iterator[Difference]:
    for (hours, mask), services in groups.items():
        for environments, changes in cells.rectangles(mask):
            yield Difference(environments, changes, services, hours)


class _Request(NamedTuple):
    """All by which the answers for a service may differ: the policies that only one side applies to it."""

    refused: tuple[bool, bool]
    old: tuple[Applying, ...]
    new: tuple[Applying, ...]
    common: tuple[Applying, ...]
    """Those that both sides apply to it alike: they leave nothing to open or close."""


_Content = tuple[VetoTimes, Mask]


class _Comparison:
    def __init__(self, old: Side, new: Side, cells: Cells, period: Interval, work: Work) -> None:
        self._sides = old, new
        self._cells = cells
        self._period = period
        self._work = work

    def universe(self) -> tuple[list[str], RelevantGlobs, UnlistedClasses]:
        """Return the services to compare by name, the globs of unlisted ones, and the classes of those."""
        old, new = self._sides
        named = sorted({*old.names_written, *new.names_written})
        if old.policy_set.refuses_unknown and new.policy_set.refuses_unknown:
            return named, RelevantGlobs((), ()), UnlistedClasses((), complete=True)
        relevant = relevant_globs(old, new, self._period)
        check = self._work.checkpoint
        classes = unlisted_classes(relevant.globs, set(named), relevant.needed, checkpoint=check)
        return named, relevant, classes

    def compare(self, services: Iterable[str]) -> dict[str, Found]:
        """Return how the answers for each service differ, by name; without those for which they don't."""
        by_request: defaultdict[_Request, list[str]] = defaultdict(list)
        for service in services:
            self._work.checkpoint()
            if request := self._request(service):
                by_request[request].append(service)
        parts = {request: tuple(self._vetoers(request)) for request in by_request}
        combinations = {vetoers for each in parts.values() for _, vetoers in each}
        hours = hours_of(combinations, self._period, self._work)
        found: dict[str, Found] = {}
        for request, names in by_request.items():
            found |= dict.fromkeys(names, _by_hours(parts[request], hours))
        return found

    def _request(self, service: str) -> _Request | None:
        """Return what the answers for a service depend on; None if they can't differ."""
        old, new = self._sides
        refused = old.refuses(service), new.refuses(service)
        if all(refused):
            return None
        if any(refused) or self._entry_changed(service):
            return self._full_request(service, refused)
        own = old.own_applying(service), new.own_applying(service)
        if not any(own):
            return None
        return _Request(refused, *own, tuple(old.common_applying(service)))

    def _entry_changed(self, service: str) -> bool:
        """Return whether the catalogues say something else of a service."""
        old, new = (side.policy_set for side in self._sides)
        return old.tags_of(service) != new.tags_of(service) or (
            old.service_zone(service) != new.service_zone(service)
        )

    def _full_request(self, service: str, refused: tuple[bool, bool]) -> _Request | None:
        old, new = (
            {_content(each): each for each in (() if no else side.applying(service))}
            for side, no in zip(self._sides, refused, strict=True)
        )
        common = old.keys() & new.keys()
        only_old, only_new = _without(common, old), _without(common, new)
        if not (any(refused) or only_old or only_new):
            return None
        in_order = filter(common.__contains__, old)
        return _Request(refused, only_old, only_new, tuple(map(old.__getitem__, in_order)))

    def _vetoers(self, request: _Request) -> Iterator[tuple[Mask, Vetoers]]:
        """Yield the cells of a request in which the answers may differ, cut by which policies apply."""
        own = (*request.old, *request.new)
        whole = self._cells.all if any(request.refused) else reduce(or_, (each.cells for each in own))
        for part in split({each.cells for each in (*own, *request.common)}, whole):
            common = frozenset(vetoer.times for vetoer in _within(part, request.common))
            old, new = _within(part, request.old), _within(part, request.new)
            yield part, Vetoers(request.refused, old, new, common)


def _without(common: set[_Content], side: Mapping[_Content, Applying]) -> tuple[Applying, ...]:
    return tuple(each for key, each in side.items() if key not in common)


def _content(each: Applying) -> _Content:
    return each.vetoer.times, each.cells


def _within(part: Mask, side: Iterable[Applying]) -> tuple[Vetoer, ...]:
    """Return the policies that apply in some cells."""
    return tuple([each.vetoer for each in side if each.cells & part])


def _by_hours(parts: Iterable[tuple[Mask, Vetoers]], hours: Mapping[Vetoers, tuple[Hours, ...]]) -> Found:
    """Return the cells of a request by the hours that differ there."""
    found: defaultdict[tuple[Hours, ...], Mask] = defaultdict(int)
    for mask, vetoers in parts:
        if hours[vetoers]:
            found[hours[vetoers]] |= mask
    return found
