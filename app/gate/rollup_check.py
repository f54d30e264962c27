"""The comparison of rollups with the rows of decisions that they count, by day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app.core.decision import joined
from app.core.instant import DAY, MINUTE
from app.core.rollup import Counts, DayDigests, Decided, cell_of, change_by_report, weight_of
from app.store.records import DecisionRow

if TYPE_CHECKING:
    from app.store.connection import Row
    from app.store.rollups import Rollup
    from app.store.view import View

_TOGETHER: Final = 5_000
_BEFORE_ALL: Final = -1

_OF_NO_CELL: Final = 1
"""The weight of counts whose cell is missing: they are none of any decision."""

_MOST_KNOWN: Final = 65_536
"""Weights of cells in memory, some 10 MB; more are worked out, or read, again."""


_AT: Final = DecisionRow._fields.index("at")
_SERVICE: Final = DecisionRow._fields.index("service")


class DecisionWeights:
    """The weights of the cells that decisions are counted in; most decisions have one that is known."""

    def __init__(self) -> None:
        """Know none."""
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
            self._of_forms[key] = weight = _weight(DecisionRow._make(columns[:-1]), columns[_SERVICE])
        # As `DayDigests.add_decision`: a call less, for each of a million.
        day, rest = divmod(columns[_AT], DAY)
        sums.sums[day] = sums.sums.get(day, 0) + weight * (rest // MINUTE + 1)

    def add(self, sums: DayDigests, row: DecisionRow, services: tuple[str, ...]) -> None:
        """Count a decision, if it is counted; `services` are those of one on several."""
        if not row.is_counted:
            return
        key = (*services, row.service, row.environment, row.change, row.outcome, row.blocking or "")
        weight = self._of_rows.get(key)
        if weight is None:
            _make_room(self._of_rows)
            self._of_rows[key] = weight = _weight(row, joined(services) if services else row.service)
        sums.add_decision(row.at, weight)


def _make_room(known: dict[Any, int]) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()


def _weight(row: DecisionRow, service: str) -> int:
    decided = Decided(row.at, service, row.environment, row.change, row.outcome, row.blocking, None)
    return weight_of(cell_of(decided))


def differing_days(view: "View", expected: DayDigests) -> Iterator[str]:
    """Yield the days, in UTC, of which the rollups are not the sums of the decisions and the reports.

    Rollups stay when decisions are pruned: days up to that of the checkpoint are not compared.

    Args:
        view: of the tables.
        expected: the decisions; the reports are added to it.
    """
    pruned = view.latest_pruned()
    after = _BEFORE_ALL if pruned is None else pruned.until // (1_000_000 * DAY)
    _add_reports(view, expected)
    for day in expected.differing(_counted(view), after):
        yield datetime.fromtimestamp(day * DAY, UTC).date().isoformat()


def _add_reports(view: "View", expected: DayDigests) -> None:
    after = 0
    while page := view.reported(after, _TOGETHER):
        for _, decided in page:
            if decided.result is not None:
                day, rest = divmod(decided.at, DAY)
                weight = weight_of(cell_of(decided))
                expected.add(day, rest // MINUTE, weight, change_by_report(None, decided.result))
        after = page[-1][0]


def _counted(view: "View") -> DayDigests:
    """Return the sums of the rollups, read a day at a time."""
    found = DayDigests()
    weights: dict[int, int] = {}
    for day in sorted(view.rollup_days(0, 2**31 - 1)):
        rows = view.rollup_rows(day)
        for first in range(0, len(rows), _TOGETHER):
            page = rows[first : first + _TOGETHER]
            _learn(view, weights, page)
            for _, cell, minute, decisions, reported, failed in page:
                counts = Counts(decisions, reported, failed)
                found.add(day, minute, weights.get(cell, _OF_NO_CELL), counts)
    return found


def _learn(view: "View", weights: dict[int, int], rows: "list[Rollup]") -> None:
    """Read the cells of rows whose weights are unknown."""
    unknown = {row.cell for row in rows} - weights.keys()
    if len(weights) + len(unknown) > _MOST_KNOWN:
        weights.clear()
        unknown = {row.cell for row in rows}
    after, last = min(unknown, default=0) - 1, max(unknown, default=-1)
    while after < last:
        page = view.rollup_cells(after, _TOGETHER)
        weights.update((number, weight_of(cell)) for number, cell in page if number in unknown)
        after = page[-1][0] if page else last
