"""Count the decisions of a period from their rollups; the parts of minutes at its edges, from their rows."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.decision import names_of
from app.core.insights import Counting
from app.core.instant import DAY, MINUTE
from app.core.interval import Interval
from app.core.rollup import Cell, Counts, Decided
from app.core.waits import Request
from app.gate.record import RunQuery
from app.store.records import DecidedFilter

if TYPE_CHECKING:
    from app.store.view import View

_DAYS_TOGETHER: Final = 8
_ROWS_TOGETHER: Final = 5_000
"""Decisions of a part of a minute that are read at a time."""


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


def count_period(query: RunQuery, counting: Counting, wanted: InsightsRequest) -> None:
    """Count the decisions of a period; each query takes some hundredths of a second."""
    first, last = -(-wanted.start // MINUTE) * MINUTE, wanted.end // MINUTE * MINUTE
    if first < last:
        edges = [(wanted.start, first), (last, wanted.end)]
        cells: dict[int, Cell] = {}
        for start, end in _stretches(first, last):
            query(partial(_count_rollups, counting=counting, wanted=wanted, cells=cells, part=(start, end)))
    else:
        edges = [(wanted.start, wanted.end)]
    for start, end in edges:
        if start < end:
            _count_rows(query, counting, wanted._replace(start=start, end=end))
    query(partial(_count_waits, counting=counting, wanted=wanted))


def _stretches(first: int, last: int) -> Iterator[Interval]:
    """Cut a period into stretches that are read at a time; they end between days."""
    while first < last:
        end = min((first // DAY + _DAYS_TOGETHER) * DAY, last)
        yield first, end
        first = end


def _count_rollups(
    view: "View", counting: Counting, wanted: InsightsRequest, cells: dict[int, Cell], part: Interval
) -> None:
    start, end = part
    counts = view.rollups(start // DAY, (end - 1) // DAY)
    known = len(cells)
    cells.update(view.rollup_cells(known))
    matching = {number for number, cell in cells.items() if wanted.matches(cell.request)}
    for day, cell, minute, *numbers in counts:
        at = day * DAY + minute * MINUTE
        if cell in matching and start <= at < end:
            counting.add(at, cells[cell], Counts(*numbers))


def _count_rows(query: RunQuery, counting: Counting, wanted: InsightsRequest) -> None:
    """Count the decisions of a part of a minute."""
    chosen = DecidedFilter(*wanted)
    after = (wanted.start, 0)
    while True:
        page = query(partial(_page, chosen=chosen, after=after))
        counting.take(decided for _, decided in page)
        if len(page) < _ROWS_TOGETHER:
            return
        seq, latest = page[-1]
        after = (latest.at, seq)


def _page(view: "View", chosen: DecidedFilter, after: tuple[int, int]) -> list[tuple[int, Decided]]:
    return view.decided(chosen, after, _ROWS_TOGETHER)


def _count_waits(view: "View", counting: Counting, wanted: InsightsRequest) -> None:
    found = view.waits(wanted.start, wanted.end)
    counting.waits.take(wait for request, wait in found if wanted.matches(request))
