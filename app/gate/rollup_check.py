"""The comparison of rollups with the rows of decisions that they count, by day."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from app.core.decision import joined
from app.core.instant import DAY, MINUTE
from app.core.rollup import Cell, Counts, DayDigests, Decided, cell_of, change_by_report, counts_of, place_of
from app.store.records import DecisionRow

if TYPE_CHECKING:
    from app.store.view import View

_TOGETHER: Final = 5_000
_BEFORE_ALL: Final = -1


class RollupCheck:
    """Sums of the decisions that were read, and of the rollups that should count them."""

    def __init__(self) -> None:
        """Expect nothing."""
        self._expected = DayDigests()
        self._cells: dict[tuple[str, str, str, str, str | None], Cell] = {}
        """By the fields of a row: for most decisions, there is one already."""

    def take(self, rows: Mapping[int, DecisionRow], services: Mapping[int, tuple[str, ...]]) -> None:
        """Expect decisions to be counted."""
        add, once, cells = self._expected.add, counts_of(None), self._cells
        for seq, row in rows.items():
            if not row.is_counted:
                continue
            service = joined(services[seq]) if seq in services else row.service
            fields = (service, row.environment, row.change, row.outcome, row.blocking)
            cell = cells.get(fields)
            if cell is None:
                cell = cells[fields] = cell_of(Decided(row.at, *fields, None))
            day, rest = divmod(row.at, DAY)
            add(day, rest // MINUTE, cell, once)

    def differing(self, view: "View") -> Iterator[str]:
        """Yield the days, in UTC, of which the rollups are not the sums of the decisions and the reports.

        Rollups stay when decisions are pruned: days up to that of the checkpoint are not compared.
        """
        pruned = view.latest_pruned()
        after = _BEFORE_ALL if pruned is None else pruned.until // (1_000_000 * DAY)
        self._take_reports(view)
        for day in self._expected.differing(_counted(view), after):
            yield datetime.fromtimestamp(day * DAY, UTC).date().isoformat()

    def _take_reports(self, view: "View") -> None:
        after = 0
        while page := view.reported(after, _TOGETHER):
            for _, decided in page:
                if decided.result is not None:
                    self._expected.add(*place_of(decided), change_by_report(None, decided.result))
            after = page[-1][0]


def _counted(view: "View") -> DayDigests:
    """Return the sums of the rollups, read a few days at a time."""
    found = DayDigests()
    cells: dict[int, Cell] = {}
    after = 0
    while page := view.rollup_cells(after, _TOGETHER):
        cells.update(page)
        after = page[-1][0]
    for day in sorted(view.rollup_days(0, 2**31 - 1)):
        for _, cell, minute, decisions, reported, failed in view.rollup_rows(day):
            found.add(day, minute, cells[cell], Counts(decisions, reported, failed))
    return found
