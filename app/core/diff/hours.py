"""The hours whose answers differ, for combinations of policies."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from app.core.diff.bitmaps import Bitmap, Pieces
from app.core.diff.limits import Work
from app.core.diff.result import Hours
from app.core.diff.veto_times import VetoTimes
from app.core.interval import Interval


class Vetoer(NamedTuple):
    """A policy that may veto."""

    id: str
    times: VetoTimes


class Vetoers(NamedTuple):
    """All that the answers in a cell may differ by."""

    refused: tuple[bool, bool]
    """Whether either set denies at all times."""
    old: tuple[Vetoer, ...]
    """The policies that only the old set applies, in the order of its file."""
    new: tuple[Vetoer, ...]
    common: frozenset[VetoTimes]
    """Those that both apply: while one of them vetoes, nothing opens or closes."""


def hours_of(
    combinations: Collection[Vetoers], period: Interval, work: Work
) -> Mapping[Vetoers, tuple[Hours, ...]]:
    """Return the hours that differ for each combination of policies.

    The common ones are read only from the first instant to the last at which anything differs without them.
    """
    alone = {each: each._replace(common=frozenset()) for each in combinations}
    unmasked = _Sweep(set(alone.values()), period, period, work)
    differing = set(filter(unmasked.differs, alone.values()))
    if not differing:
        return dict.fromkeys(combinations, ())
    wanted = [each for each in combinations if alone[each] in differing]
    sweep = _Sweep(wanted, period, unmasked.hull(differing), work)
    hours: dict[Vetoers, tuple[Hours, ...]] = dict.fromkeys(combinations, ())
    hours.update((each, sweep.hours(each)) for each in wanted)
    return hours


class _Sweep:
    """The time in which policies veto, as rows of bits."""

    def __init__(self, combinations: Iterable[Vetoers], period: Interval, span: Interval, work: Work) -> None:
        own, common = _own_and_common(combinations)
        intervals = {times: times.intervals(period) for times in own}
        intervals.update((times, times.intervals(span)) for times in common - own)
        self._pieces = Pieces(period, intervals.values())
        work.check_bits(len(intervals), self._pieces.all.bit_length())
        self._work = work
        self._bitmaps = {times: self._bitmap(found) for times, found in intervals.items()}
        self._known_ids: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._masks: dict[frozenset[VetoTimes], Bitmap] = {}
        self._period = period

    def _bitmap(self, intervals: Sequence[Interval]) -> Bitmap:
        self._work.checkpoint()
        return self._pieces.bitmap(intervals)

    def differing(self, vetoers: Vetoers) -> tuple[Bitmap, Bitmap]:
        """Return what opens and what closes."""
        rest = self._pieces.all & ~self._mask(vetoers.common)
        old, new = (
            self._pieces.all if refused else self._any_of(times for _, times in side)
            for refused, side in zip(vetoers.refused, (vetoers.old, vetoers.new), strict=True)
        )
        return old & ~new & rest, new & ~old & rest

    def differs(self, vetoers: Vetoers) -> bool:
        """Return whether anything opens or closes."""
        return any(self.differing(vetoers))

    def hours(self, vetoers: Vetoers) -> tuple[Hours, ...]:
        """Return the same as hours, in order."""
        opening, closing = self.differing(vetoers)
        opens = [Hours(start, end, True, ids, ()) for start, end, ids in self._named(opening, vetoers.old)]
        closes = [Hours(start, end, False, (), ids) for start, end, ids in self._named(closing, vetoers.new)]
        return tuple(sorted(opens + closes))

    def _named(self, bits: Bitmap, vetoers: Sequence[Vetoer]) -> list[tuple[int, int, tuple[str, ...]]]:
        """Return start and end of each stretch with the policies that veto at its first instant."""
        edges_of = [
            (each.id, each.times.edges(self._period)) for each in vetoers if self._bitmaps[each.times] & bits
        ]
        count, known, found = self._work.count_found, self._known_ids, []
        # In one loop without calls of its own: there may be a million stretches.
        for start, end in self._pieces.intervals(bits):
            ids = tuple([name for name, edges in edges_of if bisect_right(edges, start) & 1])
            count(len(ids))
            found.append((start, end, known.setdefault(ids, ids)))
        return found

    def hull(self, combinations: Iterable[Vetoers]) -> Interval:
        """Return the time from the first instant to the last at which anything differs."""
        found = self._any_bits(bits for each in combinations for bits in self.differing(each))
        stretches = list(self._pieces.intervals(found))
        return stretches[0][0], stretches[-1][1]

    def _mask(self, common: frozenset[VetoTimes]) -> Bitmap:
        found = self._masks.get(common)
        if found is None:
            found = self._masks[common] = self._any_of(common)
        return found

    def _any_of(self, policies: Iterable[VetoTimes]) -> Bitmap:
        return self._any_bits(map(self._bitmaps.__getitem__, policies))

    @staticmethod
    def _any_bits(bitmaps: Iterable[Bitmap]) -> Bitmap:
        found = 0
        for bitmap in bitmaps:
            found |= bitmap
        return found


def _own_and_common(combinations: Iterable[Vetoers]) -> tuple[set[VetoTimes], set[VetoTimes]]:
    """Return the times of policies that either set applies alone, and of those that both apply."""
    own: set[VetoTimes] = set()
    common: set[VetoTimes] = set()
    for each in combinations:
        own.update(vetoer.times for vetoer in (*each.old, *each.new))
        common |= each.common
    return own, common
