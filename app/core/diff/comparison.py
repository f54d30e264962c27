"""Compare two policy sets: the hours that open or close between them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from app.core.diff.bitmaps import Bitmap, Pieces, holds
from app.core.diff.policies import Pairing, answers_alike, name_changes, pair, policy_changes
from app.core.diff.result import Diff, Difference, Hours, ServiceGroup, UnlistedNames
from app.core.diff.scopes import Cells, Mask, split
from app.core.diff.sides import Applying, Line, Side
from app.core.diff.unlisted import UnlistedClasses, unlisted_classes
from app.core.engine import Engine
from app.core.errors import FreezegateError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.policy import Policy, PolicySet

MOST_INTERVALS: Final = 1_000_000
"""Intervals of the policies that may make a difference: 10,000 of every day have 600,000 in 60 days."""

MOST_BITS: Final = 1 << 31
"""Policies times pieces of the period; as bits they take 256 MiB."""

MOST_FOUND: Final = 500_000
"""Stretches of time that differ, with the ids of the policies that veto in them; nobody reads as many."""


class TooManyHoursError(FreezegateError):
    """Two sets differ too often in the period, or their windows open too often."""


def diff(old: Engine, new: Engine, period: Interval, checkpoint: Callable[[], None] = lambda: None) -> Diff:
    """Return what changes within a period if one policy set takes the place of another.

    Args:
        old: the policies before.
        new: those after.
        period: the instants that are compared.
        checkpoint: called now and then; may raise an error to give up.

    Raises:
        TooManyHoursError: it would take too long; a shorter period may help.
    """
    return _Comparison(old, new, period, checkpoint).result()


class _Request(NamedTuple):
    """All that the answers for a service depend on, in both sets."""

    refused: tuple[bool, bool]
    old: tuple[Applying, ...]
    new: tuple[Applying, ...]


class _Vetoers(NamedTuple):
    """All that the answers in one cell depend on: the policies of either set, by number."""

    refused: tuple[bool, bool]
    old: tuple[tuple[int, Line], ...]
    new: tuple[tuple[int, Line], ...]

    @property
    def same_lines(self) -> bool:
        """Whether both sets have the same policies there."""
        return {line for _, line in self.old} == {line for _, line in self.new}


_Found = dict[tuple[Hours, ...], Mask]
"""The cells of a service, by how the answers differ there."""
_Key = tuple[tuple[Hours, ...], Mask]
_Item = TypeVar("_Item")


class _Comparison:
    def __init__(self, old: Engine, new: Engine, period: Interval, checkpoint: Callable[[], None]) -> None:
        before, after = old.policy_set, new.policy_set
        self._period = period
        self._pairing = pair(before, after)
        shared = _alike(before, after, self._pairing)
        self._cells = Cells(
            [name for name in after.environments if name in set(before.environments)],
            [name for name in after.changes if name in set(before.changes)],
        )
        self._old = Side(
            old.compiled, self._cells, {number: number for number in shared.values()}, is_new=False
        )
        self._new = Side(new.compiled, self._cells, shared, is_new=True)
        self._compiled = old.compiled, new.compiled
        self._lines: dict[Line, list[Interval]] = {}
        self._checkpoint = checkpoint
        self._intervals_left = MOST_INTERVALS
        self._left = MOST_FOUND

    def result(self) -> Diff:
        before, after = self._old.policy_set, self._new.policy_set
        named = sorted({*self._old.names_written(), *self._new.names_written()})
        unlisted = self._unlisted(named)
        samples = [each.sample for each in unlisted.classes]
        found = self._found(
            {name: self._request(name) for name in (*named, *samples) if self._may_differ(name)}
        )
        groups, apart = _grouped(found, named, unlisted.classes)
        return Diff(
            self._period,
            policy_changes(before, after, self._pairing),
            name_changes(before, after),
            tuple(self._differences(groups)),
            self._cells.environments,
            self._cells.changes,
            tuple(named),
            tuple(sorted({*self._old.globs(), *self._new.globs()})),
            apart,
            () if unlisted.complete else (_TOO_MANY,),
        )

    def _unlisted(self, named: Sequence[str]) -> UnlistedClasses:
        """Return the classes of unlisted names."""
        if self._old.policy_set.refuses_unknown and self._new.policy_set.refuses_unknown:
            return UnlistedClasses((), complete=True)
        return unlisted_classes({*self._old.globs(), *self._new.globs()}, set(named))

    def _may_differ(self, service: str) -> bool:
        """Return whether the answers for a service may differ, by the content of policies and catalogues."""
        sides = self._old, self._new
        if self._old.refuses(service) or self._new.refuses(service):
            return not (self._old.refuses(service) and self._new.refuses(service))
        tags = {side.policy_set.tags_of(service) for side in sides}
        zones = {side.policy_set.service_zone(service) for side in sides}
        return len(tags) + len(zones) > len(sides) or any(side.own_cells(service) for side in sides)

    def _request(self, service: str) -> _Request:
        sides = self._old, self._new
        refused = self._old.refuses(service), self._new.refuses(service)
        old, new = (() if no else side.applying(service) for side, no in zip(sides, refused, strict=True))
        return _Request(refused, old, new)

    def _found(self, requests: Mapping[str, _Request]) -> dict[str, _Found]:
        """Return how the answers for each service differ."""
        parts = {request: list(self._parts(request)) for request in set(requests.values())}
        vetoers = {each for found in parts.values() for _, each in found}
        hours = self._hours(vetoers)
        by_request: dict[_Request, _Found] = {}
        for request, found in parts.items():
            differing: defaultdict[tuple[Hours, ...], Mask] = defaultdict(int)
            for mask, each in found:
                if hours[each]:
                    differing[hours[each]] |= mask
            by_request[request] = dict(differing)
        return {service: by_request[request] for service, request in requests.items()}

    def _parts(self, request: _Request) -> Iterator[tuple[Mask, _Vetoers]]:
        """Yield the cells of a request, cut by which policies apply."""
        masks = {each.cells for each in (*request.old, *request.new)}
        for part in split(masks, self._cells.all):
            each = _Vetoers(request.refused, _within(part, request.old), _within(part, request.new))
            if any(request.refused) or not each.same_lines:
                yield part, each

    def _hours(self, vetoers: Iterable[_Vetoers]) -> dict[_Vetoers, tuple[Hours, ...]]:
        """Return the hours that differ, for each combination of policies."""
        wanted = list(vetoers)
        lines = {line: self._intervals(line) for each in wanted for _, line in (*each.old, *each.new)}
        pieces = Pieces(self._period, lines.values())
        if len(lines) * pieces.all.bit_length() > MOST_BITS:
            raise TooManyHoursError(_TOO_OFTEN)
        bitmaps = {line: self._bitmap(pieces, intervals) for line, intervals in lines.items()}
        return {each: self._differing(each, pieces, bitmaps) for each in wanted}

    def _bitmap(self, pieces: Pieces, intervals: Sequence[Interval]) -> Bitmap:
        self._checkpoint()
        return pieces.bitmap(intervals)

    def _differing(
        self, vetoers: _Vetoers, pieces: Pieces, bitmaps: Mapping[Line, Bitmap]
    ) -> tuple[Hours, ...]:
        before = pieces.all if vetoers.refused[0] else _any_of(bitmaps[line] for _, line in vetoers.old)
        after = pieces.all if vetoers.refused[1] else _any_of(bitmaps[line] for _, line in vetoers.new)
        opening = (
            Hours(*each, True, self._ids(0, vetoers.old, each), ())
            for each in pieces.intervals(before & ~after)
        )
        closing = (
            Hours(*each, False, (), self._ids(1, vetoers.new, each))
            for each in pieces.intervals(after & ~before)
        )
        return tuple(sorted((*opening, *closing)))

    def _ids(self, side: int, lines: Sequence[tuple[int, Line]], stretch: Interval) -> tuple[str, ...]:
        """Return the policies that veto at the first instant of a stretch."""
        self._checkpoint()
        policies = self._compiled[side].policy_set.policies
        ids = tuple(policies[number].id for number, line in lines if holds(self._intervals(line), stretch[0]))
        self._left -= 1 + len(ids)
        if self._left < 0:
            raise TooManyHoursError(_TOO_OFTEN)
        return ids

    def _intervals(self, line: Line) -> list[Interval]:
        """Return when a policy vetoes within the period, without filling the engine's memory."""
        found = self._lines.get(line)
        if found is None:
            self._checkpoint()
            timeline = self._compiled[line.is_new].timeline(line.number, line.zone)
            days = 1 + (self._period[1] - self._period[0]) // DAY
            if _openings_of(timeline.rule) * days > MOST_INTERVALS:
                raise TooManyHoursError(_TOO_OFTEN)
            found = self._lines[line] = timeline.intervals(self._period)
            self._intervals_left -= len(found)
            if self._intervals_left < 0:
                raise TooManyHoursError(_TOO_OFTEN)
        return found

    def _differences(self, groups: Mapping[_Key, ServiceGroup]) -> Iterator[Difference]:
        for (hours, mask), services in groups.items():
            for rectangle in self._cells.rectangles(mask):
                yield Difference(rectangle.environments, rectangle.changes, services, hours)


_TOO_OFTEN: Final = "the policies open and close too often to be compared for so long; shorten the period"
_TOO_MANY = (
    "The patterns of service names overlap in too many ways to compare all of them. Services that no "
    "catalogue lists and that match several patterns may differ, too."
)


def _alike(before: PolicySet, after: PolicySet, pairing: Pairing) -> dict[int, int]:
    """Return the policies that both sets have alike: the number in the old set by that in the new one."""
    return {
        other: one
        for one, other in pairing.pairs
        if answers_alike(before.policies[one], after.policies[other], before, after)
    }


def _openings_of(policy: Policy) -> int:
    """Return how often the windows of a policy open on a day, at most."""
    return sum(entry.window.per_day() for entry in (*policy.when, *policy.except_when))


def _within(part: Mask, side: Iterable[Applying]) -> tuple[tuple[int, Line], ...]:
    """Return the policies of one set that apply in some cells."""
    return tuple((each.number, each.line) for each in side if each.cells & part)


def _any_of(bitmaps: Iterable[Bitmap]) -> Bitmap:
    found = 0
    for bitmap in bitmaps:
        found |= bitmap
    return found


def _grouped(
    found: Mapping[str, _Found], named: Sequence[str], classes: Sequence[UnlistedNames]
) -> tuple[dict[_Key, ServiceGroup], tuple[UnlistedNames, ...]]:
    """Return the services by what differs for them, and the unlisted ones unlike every other service."""
    by_class = {each: found.get(each.sample, {}) for each in classes}
    rest = next((differences for each, differences in by_class.items() if not each.globs), {})
    apart = {each: differences for each, differences in by_class.items() if differences != rest}
    names = _by_key((name, found.get(name, {})) for name in named)
    patterns = _by_key(apart.items())
    groups = {
        key: ServiceGroup(tuple(names.get(key, ())), tuple(patterns.get(key, ())), key in rest.items())
        for key in (names | patterns | _by_key([("", rest)]))
    }
    return groups, tuple(apart)


def _by_key(items: Iterable[tuple[_Item, _Found]]) -> dict[_Key, list[_Item]]:
    """Return items by each of the differences found for them."""
    keys: dict[_Key, list[_Item]] = {}
    for item, differences in items:
        for key in differences.items():
            keys.setdefault(key, []).append(item)
    return keys
