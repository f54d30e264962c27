"""A year in a terminal: a row for each month, a few letters for each day, in colour where it is allowed.

Letters carry everything, so that nothing is lost without colours.
"""

import string
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

import click

from app.cli.report import plain
from app.core.instant import DAY, HOUR
from app.core.wallclock import weekday
from app.core.year import OTHERS_KIND, Year, YearDay, YearRule
from app.core.year.drawing import named_holidays
from app.core.year.words import period_in_words, short_day, shown_parts, title_of

_MARGIN: Final = 5
_LONGEST_MONTH: Final = 31
_SLOTS: Final = (12, 8, 6, 4, 3, 2, 1)
"""Letters for a day: all of the same number of hours."""
_SATURDAY: Final = 5
_MOST_DATES: Final = 2
"""Freezes of a rule that the legend lists; of more, it gives the number."""

_OPEN, _OPEN_WEEKEND, _SEVERAL, _NOTHING = ".", ":", "#", " "
_UNNAMED: Final = "?"
_WHITE: Final = 231
_COLOURS: Final = {
    "rule-0": 33,
    "rule-1": 202,
    "rule-2": 97,
    "rule-3": 137,
    "rule-4": 169,
    "rule-5": 24,
    "rule-6": 244,
    "rule-7": 29,
    "rule-freeze": 160,
    "rule-others": 236,
}
"""The nearest of the 256 colours of a terminal to the dashboard's."""


class _Cell(NamedTuple):
    letter: str
    colour: int | None = None


def draw_year(shown: Year, today: int, width: int) -> Iterator[str]:
    """Yield the lines of a year, for a terminal of `width` columns: the months, then the legend."""
    slots = next((each for each in _SLOTS if _MARGIN + _LONGEST_MONTH * each <= width), 1)
    grid = _Grid(shown, today, slots)
    yield _title(shown)
    yield grid.ruler()
    for _, days in groupby(shown.days, lambda day: day.date.month):
        yield from grid.month(list(days))
    yield ""
    yield from grid.legend(width)


def _title(shown: Year) -> str:
    request = shown.request
    place = f"{request.service} in {request.environment}" if request.service else request.environment
    share = shown.seconds / (sum(day.seconds for day in shown.days) or 1)
    return plain(f"{request.year}  {place}, {request.change}: {share:.0%} of the year is frozen")


class _Grid:
    def __init__(self, shown: Year, today: int, slots: int) -> None:
        self._year = shown
        self._today = today
        self._slots = slots
        self._seconds = [rule.seconds for rule in shown.rules]
        letters = (*string.ascii_uppercase, *string.ascii_lowercase)
        self._cells = [
            _Cell(
                letters[number] if number < len(letters) and rule.kind != OTHERS_KIND else _UNNAMED,
                _COLOURS.get(rule.style.colour),
            )
            for number, rule in enumerate(shown.rules)
        ]

    def ruler(self) -> str:
        """Return the line of the days of the month."""
        days = range(1, _LONGEST_MONTH + 1)
        return _written((str(day) if day == 1 or day % 5 == 0 else "" for day in days), self._slots)

    def month(self, days: list[YearDay]) -> Iterator[str]:
        """Yield the lines of a month: week numbers and marks, then the days."""
        yield _written(map(self._mark, days), self._slots)
        cells = [cell for day in days for cell in self._day(day)]
        runs = ("".join(cell.letter for cell in run) for _, run in groupby(cells, lambda cell: cell.colour))
        colours = (colour for colour, _ in groupby(cells, lambda cell: cell.colour))
        row = "".join(map(_coloured, runs, colours))
        yield f"{days[0].date:%b}".ljust(_MARGIN) + row.rstrip()

    def _mark(self, day: YearDay) -> str:
        if day.number == self._today:
            return ">"
        if day.holidays:
            return "*"
        return str(day.date.isocalendar().week) if weekday(day.number) == 0 else ""

    def _day(self, day: YearDay) -> list[_Cell]:
        """Return the cells of a day: a stretch of it that is frozen in part counts as frozen."""
        if not day.pieces:
            return [_Cell(_NOTHING)] * self._slots
        length, parts = DAY // self._slots, shown_parts(day, self._year.zone)
        nothing = _Cell(_OPEN_WEEKEND if weekday(day.number) >= _SATURDAY else _OPEN)
        return [self._slot(parts, start, start + length) or nothing for start in range(0, DAY, length)]

    def _slot(self, parts: list[tuple[int, int, int]], start: int, end: int) -> _Cell | None:
        """Return the cell of a stretch of a day; None if nothing freezes in it."""
        rules = {rule for rule, first, last in parts if first < end and last > start}
        if len(rules) > 1:
            # In the colour of the rarest, so that a holiday shows in a weekend.
            return _Cell(_SEVERAL, self._cells[min(rules, key=self._seconds.__getitem__)].colour)
        return self._cells[rules.pop()] if rules else None

    def legend(self, width: int) -> Iterator[str]:
        """Yield what each letter means, the holidays, and the other signs."""
        for cell, rule in zip(self._cells, self._year.rules, strict=True):
            text = plain(f"{title_of(rule)}: {self._times(rule)}")
            first, *rest = textwrap.wrap(text, max(width - 5, 20)) or [""]
            yield f"  {_coloured(cell.letter, cell.colour)}  {first}"
            yield from (f"     {line}" for line in rest)
        holidays = ", ".join(f"{short_day(day)} {name}" for day, name in named_holidays(self._year))
        if holidays:
            yield from textwrap.wrap(
                plain(holidays), max(width, 20), initial_indent="  *  ", subsequent_indent="     "
            )
        hours = DAY // self._slots // HOUR
        yield f"  {_OPEN}  open   {_OPEN_WEEKEND} open weekend   {_SEVERAL} several   > today"
        yield f"     week numbers at Mondays; a letter is {hours} h; {self._year.zone.name} time"

    def _times(self, rule: YearRule) -> str:
        where = self._year.zone
        if len(rule.periods) <= _MOST_DATES:
            return "; ".join(period_in_words(each, where) for each in rule.periods)
        return f"{len(rule.periods)} times, {round(rule.seconds / HOUR):,} h"


def _written(texts: Iterable[str], slots: int) -> str:
    """Return a line with each text at its day; a number that reaches into another text is left out."""
    line = ""
    for number, text in enumerate(texts):
        at = number * slots
        if text and len(line) > at:
            line = line[:at].rstrip(string.digits)
        if text:
            line = line.ljust(at) + text
    return " " * _MARGIN + line


def _coloured(text: str, colour: int | None) -> str:
    return text if colour is None else click.style(text, fg=_WHITE, bg=colour)
