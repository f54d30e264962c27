"""Sums of rollups: counts of many minutes, reduced to what insights tell apart under a policy set.

Sums of different days add up: those of past days are kept and added, rather than counted again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from app.core.compiled import CompiledPolicies
from app.core.coverage import CoverageIndex, CoverageKey
from app.core.decision import Outcome
from app.core.instant import DAY, HOUR, MINUTE
from app.core.rollup import FAILED_BITS, Cell, Counts
from app.core.waits import WaitEnds

HOURS: Final = 168
BLOCK: Final = 28
"""Days whose sums are kept together."""

_FIRST_HOUR: Final = 72
"""The hour of the week in which local time begins to count: 1970-01-01 was a Thursday."""

_DECISIONS_BITS: Final = 40
_SLOT_BITS: Final = 40
"""A key is the number of a kind, and in this many bits the active policies and the hour of the week."""

_SLOT: Final = (1 << _SLOT_BITS) - 1
_MOST_BLOCKS: Final = 16

MOST_CELLS: Final = 20_000
"""Cells whose kinds are remembered between counts; made-up names of services may be any number."""

Row = tuple[int, int, int, int, int]
"""Day, number of the cell, minute of the day, decisions; reported and failed ones in one number."""

WaitKey = tuple[str, str, frozenset[str]]
"""Environment, kind of change, and the ids under which the vetoes are counted."""


class Group(NamedTuple):
    """Requests to one environment, of one kind of change, to which the same policies apply."""

    coverage: CoverageKey
    environment: str
    change: str


class Kind(NamedTuple):
    """Decisions that insights tell apart by their instants only."""

    group: Group
    outcome: str
    names: frozenset[str]
    """The ids under which their vetoes are counted."""


class Slot(NamedTuple):
    """The hours of the week at which the same policies are active."""

    hour: int
    active: tuple[int, ...]


class Sums:
    """The counts of decisions, and the waits that begin, in some minutes."""

    __slots__ = ("counts", "waits")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts: dict[int, int] = {}
        """By kind and slot; see `Kinds.each`."""
        self.waits: dict[WaitKey, WaitEnds] = {}

    def add(self, other: "Sums") -> None:
        """Add the sums of other minutes."""
        counts = self.counts
        for key, count in other.counts.items():
            counts[key] = counts.get(key, 0) + count
        for wait_key, ends in other.waits.items():
            self.waits.setdefault(wait_key, WaitEnds()).extend(ends)

    def add_waits(self, waits: Iterable[tuple[WaitKey, int, int | None]]) -> None:
        """Add waits, each with its beginning and its end."""
        for key, since, end in waits:
            ends = self.waits.get(key) or self.waits.setdefault(key, WaitEnds())
            ends.add(since, end)


_Plan = tuple[Sequence[int], Sequence[int], int]
"""The minutes of a day at which the slot changes, the slots from them on, and what to add to each slot."""


class Kinds:
    """The kinds of cells under a policy set."""

    def __init__(self, compiled: CompiledPolicies) -> None:
        """Know no cell yet."""
        self._compiled = compiled
        self._local = compiled.policy_set.home.local
        self._keys = CoverageIndex(compiled, (0, 1))
        self._blocks: dict[int, CoverageIndex] = {}
        self._hours_of: tuple[int, tuple[list[int], list[int]]] = (-1, ([], []))
        """The latest day that was looked at, and its hours."""
        self.latest: tuple[int, Cell] | None = None
        """The cell with the highest number of all that were learned, and its number."""
        self._of_cells: dict[int, int] = {}
        self._kinds: list[Kind] = []
        self._numbers: dict[Kind, int] = {}
        self._actives: list[tuple[int, ...]] = [()]
        self._active_numbers: dict[tuple[int, ...], int] = {(): 0}

    def __len__(self) -> int:
        """Return how many cells are known."""
        return len(self._of_cells)

    def unknown(self, cells: Iterable[int]) -> set[int]:
        """Return the numbers of the cells to be learned; forget the others if they are too many."""
        if len(self._of_cells) > MOST_CELLS:
            self._of_cells.clear()
        return set(cells) - self._of_cells.keys()

    def learn(self, cells: Iterable[tuple[int, Cell]]) -> None:
        """Take cells, each with its number."""
        for own_number, cell in cells:
            _, environment, change = cell.request
            group = Group(self._keys.key_of(*cell.request), environment, change)
            kind = Kind(group, cell.outcome, cell.names)
            number = self._numbers.setdefault(kind, len(self._kinds))
            if number == len(self._kinds):
                self._kinds.append(kind)
            if self.latest is None or own_number > self.latest[0]:
                self.latest = own_number, cell
            self._of_cells[own_number] = number

    def each(self, sums: Sums) -> Iterator[tuple[Kind, Slot, Counts]]:
        """Yield the counts of sums, by kind and slot."""
        kinds, actives = self._kinds, self._actives
        for key, packed in sums.counts.items():
            active, hour = divmod(key & _SLOT, HOURS)
            decisions, rest = packed & ((1 << _DECISIONS_BITS) - 1), packed >> _DECISIONS_BITS
            counts = Counts(decisions, rest >> FAILED_BITS, rest & ((1 << FAILED_BITS) - 1))
            yield kinds[key >> _SLOT_BITS], Slot(hour, actives[active]), counts

    def add_counts(self, sums: Sums, rows: Iterable[Row]) -> None:
        """Add the counts of rows, which are sorted by day and cell, to sums."""
        counts, of_cells = sums.counts, self._of_cells
        plans: dict[Group | None, _Plan] = {}
        day_before = cell_before = -1
        cuts: Sequence[int] = ()
        slots: Sequence[int] = ()
        base = 0
        for day, cell, minute, decisions, rest in rows:
            if cell != cell_before or day != day_before:
                if day != day_before:
                    plans, day_before = {}, day
                cell_before, number = cell, of_cells[cell]
                kind = self._kinds[number]
                # Which policies were active says nothing about denials.
                group = None if kind.outcome == Outcome.DENY else kind.group
                plan = plans.get(group)
                if plan is None:
                    plan = plans[group] = self._plan(day, group)
                cuts, slots, base = plan
                base += number << _SLOT_BITS
            key = base + slots[bisect_right(cuts, minute) - 1]
            counts[key] = counts.get(key, 0) + decisions + (rest << _DECISIONS_BITS)

    def _plan(self, day: int, group: Group | None) -> _Plan:
        start = day * DAY
        if self._hours_of[0] != day:
            self._hours_of = day, self._hours(day)
        hours = self._hours_of[1]
        if group is None:
            return (*hours, 0)
        coverage = self._block(day // BLOCK).of_key(group.coverage)
        changes = [(instant, self._number(active)) for instant, active in coverage.cuts(start, start + DAY)]
        if len(changes) == 1:
            return (*hours, changes[0][1] * HOURS)
        return (*_merged(hours, [(-((start - instant) // MINUTE), active) for instant, active in changes]), 0)

    def _number(self, active: tuple[int, ...]) -> int:
        number = self._active_numbers.setdefault(active, len(self._actives))
        if number == len(self._actives):
            self._actives.append(active)
        return number

    def _block(self, block: int) -> CoverageIndex:
        """Return when the policies are active in a block."""
        found = self._blocks.get(block)
        if found is None:
            if len(self._blocks) >= _MOST_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            period = (block * BLOCK * DAY, (block + 1) * BLOCK * DAY)
            found = self._blocks[block] = CoverageIndex(self._compiled, period)
        return found

    def _hours(self, day: int) -> tuple[list[int], list[int]]:
        """Return the minutes of a UTC day at which an hour of the week begins at home, and those hours."""
        local, at, end = self._local, day * DAY, (day + 1) * DAY
        minutes, hours = [], []
        while at < end:
            here = local(at)
            minutes.append((at - day * DAY) // MINUTE)
            hours.append(hour_of_week(here))
            later = at + HOUR - here % HOUR
            if local(later) - here != later - at:
                # Clocks change meanwhile.
                later = at + MINUTE
            at = later
        return minutes, hours


def _merged(
    hours: tuple[list[int], list[int]], changes: list[tuple[int, int]]
) -> tuple[list[int], list[int]]:
    """Return the minutes at which the hour of the week or the active policies change, and the slots."""
    minutes = sorted({*hours[0], *(minute for minute, _ in changes if minute < DAY // MINUTE)})
    slots, from_minutes = [], [minute for minute, _ in changes]
    for minute in minutes:
        active = changes[bisect_right(from_minutes, minute) - 1][1]
        slots.append(active * HOURS + hours[1][bisect_right(hours[0], minute) - 1])
    return minutes, slots


def hour_of_week(local: int) -> int:
    """Return the hour of the week of a local time in seconds; 0 is Monday, 00:00."""
    return (local // HOUR + _FIRST_HOUR) % HOURS
