"""Count the decisions of a period from their rollups; the parts of minutes at its edges, from their rows."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.decision import names_of
from app.core.insights import Counting
from app.core.instant import DAY, MINUTE
from app.core.interval import Interval
from app.core.rollup import Cell, Decided
from app.core.rollup_sums import BLOCK, Kinds, Sums
from app.core.waits import Request
from app.gate.in_force import InForce
from app.gate.record import RunQuery
from app.store.records import DecidedFilter

if TYPE_CHECKING:
    from app.store.rollups import WaitRow
    from app.store.view import View

_DAYS_TOGETHER: Final = 7
"""Days whose rollups are in memory at a time; of ten million decisions a year, some 30 MB."""
_CELLS_TOGETHER: Final = 5_000
"""Cells that are looked up at a time."""
_ROWS_TOGETHER: Final = 5_000
"""Decisions of a part of a minute that are read at a time."""
_MOST_KEPT: Final = 96
"""Kept sums: those of two years of blocks, and of the days beside them."""


class InsightsRequest(NamedTuple):
    """The filter of the decisions; None matches all."""

    start: int
    end: int
    service: str | None = None
    environment: str | None = None
    change: str | None = None

    def matches(self, request: Request) -> bool:
        """Return whether a request is one of those that are counted."""
        service, environment, change = request
        return (
            self.environment in (None, environment)
            and self.change in (None, change)
            and (self.service is None or self.service in names_of(service))
        )


class _Days(NamedTuple):
    """Whole days that are read and kept together."""

    first: int
    length: int

    @property
    def last(self) -> int:
        return self.first + self.length - 1

    @property
    def range(self) -> range:
        return range(self.first, self.first + self.length)


class _Standing(NamedTuple):
    """The state of some days: another one if anything in them has changed, or was pruned."""

    changed: int
    """The position of the latest event that changed one of them."""
    days: int
    """How many of them have counts."""


class _Kept(NamedTuple):
    standing: _Standing
    sums: Sums


class KeptSums:
    """The sums of past days under the policies in force, kept as long as nothing in them changes.

    Sums of blocks of four weeks and of the days beside them make up any period; only its first and its last
    day are read again. For one count at a time.
    """

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._revision: str | None = None
        self._kinds: Kinds | None = None
        self._kept: dict[_Days, _Kept] = {}

    def count(self, query: RunQuery, counting: Counting, in_force: InForce, wanted: InsightsRequest) -> None:
        """Count the decisions of a period, by the policies in force."""
        kinds = self._kinds_of(query, in_force)
        first, last = -(-wanted.start // MINUTE) * MINUTE, wanted.end // MINUTE * MINUTE
        edges = [(wanted.start, first), (last, wanted.end)]
        if first >= last:
            edges = [(wanted.start, wanted.end)]
        elif wanted.service is None:
            sums = Sums()
            for part in self._sums(query, kinds, first, last):
                sums.add(part)
            counting.take_sums(sums, kinds, wanted.environment, wanted.change)
        else:
            sums = query(partial(_of_service, kinds=kinds, wanted=wanted, part=(first, last)))
            counting.take_sums(sums, kinds, wanted.environment, wanted.change)
        for start, end in edges:
            if start < end:
                _count_rows(query, counting, wanted._replace(start=start, end=end))

    def _kinds_of(self, query: RunQuery, in_force: InForce) -> Kinds:
        """Return the kinds of cells under the policies in force; forget what is kept of others."""
        kinds = self._kinds
        if kinds is None or self._revision != in_force.revision or not query(partial(_knows, kinds=kinds)):
            self._kept.clear()
            self._revision = in_force.revision
            self._kinds = kinds = Kinds(in_force.engine.compiled)
        return kinds

    def _sums(self, query: RunQuery, kinds: Kinds, first: int, last: int) -> Iterator[Sums]:
        """Yield sums that make up whole minutes."""
        days = range(-(-first // DAY), last // DAY)
        if not days:
            yield from _read_minutes(query, kinds, (first, last))
            return
        for part in ((first, days.start * DAY), (days.stop * DAY, last)):
            yield from _read_minutes(query, kinds, part)
        changed = query(lambda view: view.rollup_days(days.start, days.stop - 1))
        for together in _cut(days):
            standing = _standing(changed[day] for day in together.range if day in changed)
            if standing.days:
                yield self._whole_days(query, kinds, together, standing)

    def _whole_days(self, query: RunQuery, kinds: Kinds, days: _Days, standing: _Standing) -> Sums:
        kept = self._kept.pop(days, None)
        if kept is None or kept.standing != standing:
            kept = _read_days(query, kinds, days)
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[days] = kept
        return kept.sums


def _cut(days: range) -> Iterator[_Days]:
    """Cut days into blocks, and single days beside them."""
    day = days.start
    while day < days.stop:
        length = BLOCK if day % BLOCK == 0 and day + BLOCK <= days.stop else 1
        yield _Days(day, length)
        day += length


def _knows(view: "View", kinds: Kinds) -> bool:
    """Return whether the known cells are those of the database; not if a backup was restored meanwhile."""
    latest = kinds.latest
    return latest is None or view.rollup_cells(latest[0] - 1, 1) == [latest]


def _learn(view: "View", kinds: Kinds, cells: Iterable[int]) -> None:
    """Take those of some cells that are unknown."""
    unknown = kinds.unknown(cells)
    after, last = min(unknown, default=1) - 1, max(unknown, default=0)
    while after < last:
        page = view.rollup_cells(after, _CELLS_TOGETHER)
        kinds.learn(each for each in page if each[0] in unknown)
        after = page[-1][0] if page else last


def _read_days(query: RunQuery, kinds: Kinds, days: _Days) -> _Kept:
    sums, changed = Sums(), list[int]()
    for first in range(days.first, days.last + 1, _DAYS_TOGETHER):
        last = min(first + _DAYS_TOGETHER - 1, days.last)
        more, changes = query(partial(_days, kinds=kinds, first=first, last=last))
        sums.add(more)
        changed += changes
    return _Kept(_standing(changed), sums)


def _standing(changed: Iterable[int]) -> _Standing:
    """Return the state of days, by the positions of the latest events that changed each."""
    known = list(changed)
    return _Standing(max(known, default=0), len(known))


def _days(view: "View", kinds: Kinds, first: int, last: int) -> tuple[Sums, list[int]]:
    """Return the sums of days, and the positions of the latest events that changed each, in one state."""
    sums = Sums()
    rows = view.rollups(first, last)
    _learn(view, kinds, {row[1] for row in rows})
    kinds.add_counts(sums, rows)
    _add_waits(sums, view.waits(first * DAY, (last + 1) * DAY))
    return sums, list(view.rollup_days(first, last).values())


def _read_minutes(query: RunQuery, kinds: Kinds, part: Interval) -> Iterator[Sums]:
    """Yield the sums of minutes of one day, or of the ends of two."""
    if part[0] < part[1]:
        yield query(partial(_minutes, kinds=kinds, part=part))


def _minutes(view: "View", kinds: Kinds, part: Interval) -> Sums:
    start, end = part
    sums = Sums()
    rows = view.rollups(start // DAY, (end - 1) // DAY)
    _learn(view, kinds, {row[1] for row in rows})
    kinds.add_counts(sums, (row for row in rows if start <= row[0] * DAY + row[2] * MINUTE < end))
    _add_waits(sums, view.waits(start, end))
    return sums


def _of_service(view: "View", kinds: Kinds, wanted: InsightsRequest, part: Interval) -> Sums:
    """Return the sums of one service; nothing of it is kept."""
    start, end = part
    sums = Sums()
    cells = _cells_of(view, wanted)
    kinds.learn((number, cells[number]) for number in kinds.unknown(cells))
    rows = view.rollups_of(list(cells), start // DAY, (end - 1) // DAY)
    kinds.add_counts(sums, (row for row in rows if start <= row[0] * DAY + row[2] * MINUTE < end))
    _add_waits(sums, (wait for wait in view.waits(start, end) if wanted.matches(wait.request)))
    return sums


def _cells_of(view: "View", wanted: InsightsRequest) -> dict[int, Cell]:
    """Return the cells of a service that are counted, by number."""
    named = view.rollup_cells_of(wanted.service or "")
    return {number: cell for number, cell in named if wanted.matches(cell.request)}


def _add_waits(sums: Sums, waits: Iterable["WaitRow"]) -> None:
    sums.add_waits(
        ((environment, change, policies), since, ends)
        for (_, environment, change), policies, since, ends in waits
    )


def _count_rows(query: RunQuery, counting: Counting, wanted: InsightsRequest) -> None:
    """Count the decisions of a part of a minute, and the waits that begin in it."""
    chosen = DecidedFilter(*wanted)
    after = (wanted.start, 0)
    while True:
        page = query(partial(_page, chosen=chosen, after=after))
        counting.take(decided for _, decided in page)
        if len(page) < _ROWS_TOGETHER:
            break
        seq, latest = page[-1]
        after = (latest.at, seq)
    sums = Sums()
    waits = query(lambda view: view.waits(wanted.start, wanted.end))
    _add_waits(sums, (wait for wait in waits if wanted.matches(wait.request)))
    counting.take_waits(sums)


def _page(view: "View", chosen: DecidedFilter, after: tuple[int, int]) -> list[tuple[int, Decided]]:
    return view.decided(chosen, after, _ROWS_TOGETHER)
