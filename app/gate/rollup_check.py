"""The comparison of rollups with the rows of decisions that they count, by day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app.core.decision import joined
from app.core.instant import DAY, MINUTE
from app.core.rollup import Counts, DayDigests, Decided, Weights, cell_of, change_by_report
from app.store.records import DecisionRow

if TYPE_CHECKING:
    from app.store.connection import Row
    from app.store.rollups import Rollup
    from app.store.view import View

_TOGETHER: Final = 5_000
_BEFORE_ALL: Final = -1

_MOST_KNOWN: Final = 65_536
"""Weights of cells in memory, some 10 MB; more are worked out, or read, again."""


_AT: Final = DecisionRow._fields.index("at")
_SERVICE: Final = DecisionRow._fields.index("service")


class DecisionWeights:
    """The weights of the cells that decisions are counted in; most decisions have one that is known."""

    def __init__(self, weights: Weights) -> None:
        """Know none."""
        self._weights = weights
        self._of_forms: dict[tuple[str, str], int] = {}
        """By the name of a form and the service."""
        self._of_rows: dict[tuple[str, ...], int] = {}
        """By the fields of a row."""

    def add_alike(self, sums: DayDigests, form: str, columns: "Row") -> None:
        """Count a decision whose row follows from its form, up to its service."""
        key = form, columns[_SERVICE]
        weight = self._of_forms.get(key)
        if weight is None:
            _make_room(self._of_forms)
            row = DecisionRow._make(columns[:-1])
            self._of_forms[key] = weight = self._weight(row, columns[_SERVICE])
        # As `Weights.times` and `DayDigests.add`: two calls less, for each of a million.
        day, rest = divmod(columns[_AT], DAY)
        sums.sums[day] = sums.sums.get(day, 0) + weight * self._weights.of_minutes[rest // MINUTE]

    def add(self, sums: DayDigests, row: DecisionRow, services: tuple[str, ...]) -> None:
        """Count a decision, if it is counted; `services` are those of one on several."""
        if not row.is_counted:
            return
        key = (*services, row.service, row.environment, row.change, row.outcome, row.blocking or "")
        weight = self._of_rows.get(key)
        if weight is None:
            _make_room(self._of_rows)
            self._of_rows[key] = weight = self._weight(row, joined(services) if services else row.service)
        day, rest = divmod(row.at, DAY)
        sums.add(day, self._weights.times(weight, rest // MINUTE, Counts(1)))

    def _weight(self, row: DecisionRow, service: str) -> int:
        decided = Decided(row.at, service, row.environment, row.change, row.outcome, row.blocking, None)
        return self._weights.of_cell(cell_of(decided))


def _make_room(known: dict[Any, int]) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()


def differing_days(view: "View", expected: DayDigests, weights: Weights) -> Iterator[str]:
    """Yield the days, in UTC, of which the rollups are not the sums of the decisions and the reports.

    Rollups stay when decisions are pruned: days up to that of the checkpoint are not compared.

    Args:
        view: of the tables.
        expected: the decisions; the reports are added to it.
        weights: those that the decisions were added with.
    """
    pruned = view.latest_pruned()
    after = _BEFORE_ALL if pruned is None else pruned.until // (1_000_000 * DAY)
    _add_reports(view, expected, weights)
    for day in _Counted(view, weights).differing(expected, after):
        yield datetime.fromtimestamp(day * DAY, UTC).date().isoformat()


def _add_reports(view: "View", expected: DayDigests, weights: Weights) -> None:
    after = 0
    while page := view.reported(after, _TOGETHER):
        for _, decided in page:
            if decided.result is not None:
                day, rest = divmod(decided.at, DAY)
                change = change_by_report(None, decided.result)
                expected.add(day, weights.times(weights.of_cell(cell_of(decided)), rest // MINUTE, change))
        after = page[-1][0]


class _Counted:
    """The sums of the rollups, read a day at a time."""

    def __init__(self, view: "View", weights: Weights) -> None:
        self._view = view
        self._weights = weights
        self._of_cells: dict[int, int] = {}
        self._sums = DayDigests()
        self._wrong = view.unlisted_rollup_days()
        """The days with counts that are not listed, or with a row whose cell is missing or has no numbers."""
        for day in sorted(view.rollup_days(0, 2**31 - 1)):
            try:
                self._add(day)
            except (KeyError, TypeError, ValueError):
                self._wrong.add(day)

    def differing(self, expected: DayDigests, after: int) -> list[int]:
        """Return the days after a day whose sums are not the expected ones, in order."""
        wrong = {day for day in self._wrong if day > after}
        return sorted(wrong.union(expected.differing(self._sums, after)))

    def _add(self, day: int) -> None:
        rows = self._view.rollup_rows(day)
        for first in range(0, len(rows), _TOGETHER):
            page = rows[first : first + _TOGETHER]
            self._learn(page)
            for _, cell, minute, *counts in page:
                self._sums.add(day, self._weights.times(self._of_cells[cell], minute, Counts._make(counts)))

    def _learn(self, rows: "list[Rollup]") -> None:
        """Read the cells of rows whose weights are unknown."""
        known = self._of_cells
        unknown = {row.cell for row in rows} - known.keys()
        if len(known) + len(unknown) > _MOST_KNOWN:
            known.clear()
            unknown = {row.cell for row in rows}
        after, last = min(unknown, default=0) - 1, max(unknown, default=-1)
        while after < last:
            page = self._view.rollup_cells(after, _TOGETHER)
            known.update((number, self._weights.of_cell(cell)) for number, cell in page if number in unknown)
            after = page[-1][0] if page else last
