"""The months of a year as pictures: a row for each day, the frozen part of a day drawn to scale.

Pure text in units of the picture, for the sheet and the page, which each style it. Texts are escaped here.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from app.core.explain import undirected
from app.core.instant import DAY, HOUR
from app.core.rule_style import OTHERS, Style
from app.core.wallclock import local_day, weekday
from app.core.xml_text import xml_text
from app.core.year.words import day_in_words, shown_parts, title_of
from app.core.year.year import OTHERS_KIND, NamedHoliday, Year, YearDay

MONTHS: Final = 12
GUTTER: Final = 35
TRACK: Final = 96
"""The width of 24 hours: four units an hour."""
COLUMN: Final = GUTTER + TRACK
PITCH: Final = 135
HEAD: Final = 22
ROW: Final = 29
MONTH_HEIGHT: Final = HEAD + 31 * ROW

_CELL: Final = ROW - 1
_UNDER_NAME: Final = 12.5
"""Where a day with a name begins to be drawn; one without takes its whole cell."""
_NAME_SIZE: Final = 8.5
_MOST_LANES: Final = 4
"""Rules that share the height of a day; with more, the last lane is for all others."""
_MOST_NAMED: Final = 6
"""Freezes of a rule in the year, up to which each is named where it begins. Weekly ones are in the legend."""
_SATURDAY: Final = 5
_HOURS: Final = (6, 12, 18)

Link = Callable[[int], str]
"""Returns the address of a day."""


class _Box(NamedTuple):
    start: int
    end: int
    lane: int
    lanes: int


class YearDrawing:
    """The picture of a year, month by month."""

    def __init__(self, shown: Year, today: int, link: Link | None = None) -> None:
        """Draw `shown`, with the day `today` marked; `link` gives each day its address."""
        self._year = shown
        self._today = today
        self._link = link
        self._names = _names(shown)
        first = [local_day(date(shown.request.year, month, 1)) for month in range(1, MONTHS + 1)]
        bounds = [*first, local_day(date(shown.request.year + 1, 1, 1))]
        self._months = [shown.days[start - bounds[0] : end - bounds[0]] for start, end in pairwise(bounds)]

    def month(self, number: int) -> str:
        """Return the drawing of a month, from 1 to 12: `COLUMN` wide and `MONTH_HEIGHT` high."""
        days = self._months[number - 1]
        ticks = "".join(
            f'<text class="tick" x="{_x(hour * HOUR):g}" y="{HEAD - 4}" text-anchor="middle">{hour}</text>'
            for hour in _HOURS
        )
        bottom = HEAD + len(days) * ROW - 1
        grid = "".join(f"M{_x(hour * HOUR):g} {HEAD}V{bottom}" for hour in _HOURS)
        hatched: dict[str, list[str]] = {}
        drawn = "".join(self._day(day, hatched) for day in days)
        return (
            f'<g aria-hidden="true"><text class="month" x="1" y="15">{days[0].date:%b}</text>{ticks}'
            f'<path class="day" d="{_cells(days, weekend=False)}"/>'
            f'<path class="day weekend" d="{_cells(days, weekend=True)}"/>'
            f'<path class="grid" d="{grid}"/></g>{drawn}'
            f'<g aria-hidden="true" class="over">{"".join(map(_hatched, hatched, hatched.values()))}</g>'
        )

    def _day(self, day: YearDay, hatched: dict[str, list[str]]) -> str:
        """Return a day; what its hatchings cover is added to `hatched`.

        A printer draws a hatching once a month, not once a day: a tenth of the data.
        """
        label = xml_text(day_in_words(self._year, day))
        inner = (
            f'<title>{label}</title><rect class="cell" y="{_y(day)}" width="{COLUMN}" height="{_CELL}"/>'
            f"{self._date(day)}{''.join(self._fills(day, hatched))}{self._name(day)}"
        )
        if self._link is None:
            return f'<g role="img">{inner}</g>'
        where = escape(self._link(day.number))
        return f'<a class="stretch" href="{where}" tabindex="-1" aria-label="{label}">{inner}</a>'

    def _date(self, day: YearDay) -> str:
        y, is_today = _y(day), day.number == self._today
        mark = f'<rect class="today" y="{y}" width="{GUTTER - 2}" height="{_CELL}"/>' if is_today else ""
        style = " today" if is_today else " holiday" if day.holidays else ""
        week = ""
        if weekday(day.number) == 0:
            number = day.date.isocalendar().week
            week = f'<text class="week{style}" x="{GUTTER - 3}" y="{y + 23}">w{number}</text>'
        name = f"{day.date:%a}"[:2]
        return (
            f'{mark}<text class="dow{style}" x="1" y="{y + 12}">{name}</text>'
            f'<text class="num{style}" x="{GUTTER - 3}" y="{y + 12}">{day.date.day}</text>{week}'
        )

    def _fills(self, day: YearDay, hatched: dict[str, list[str]]) -> Iterator[str]:
        under = _UNDER_NAME if day.number in self._names else 0
        top, height = _y(day) + under, _CELL - under
        for rule, boxes in _lanes(day, self._year).items():
            style = OTHERS if rule is None else self._year.rules[rule].style
            path = "".join(_path(box, top, height) for box in boxes)
            hatched.setdefault(style.hatching, []).append(path)
            yield f'<path class="fill {style.colour}" d="{path}"/>'

    def _name(self, day: YearDay) -> str:
        name = self._names.get(day.number)
        if name is None:
            return ""
        text = xml_text(fitted(name, TRACK, _NAME_SIZE))
        return f'<text class="name" x="{GUTTER}" y="{_y(day) + 9.5}">{text}</text>'


def _holiday_name(holiday: NamedHoliday, *, named: bool) -> str:
    name = undirected(holiday.name)
    return f"{name} ({', '.join(holiday.calendars)})" if named and holiday.calendars else name


def named_holidays(shown: Year) -> Iterator[tuple[int, str]]:
    """Yield the number of the day and the name of each holiday; with its calendars if there are several."""
    named = _has_several_calendars(shown)
    for day in shown.days:
        yield from ((day.number, _holiday_name(each, named=named)) for each in day.holidays)


def _has_several_calendars(shown: Year) -> bool:
    return len({label for day in shown.days for each in day.holidays for label in each.calendars}) > 1


def _names(shown: Year) -> dict[int, str]:
    """Return the names to write into days: their holidays, else the rare freezes that begin there."""
    named = _has_several_calendars(shown)
    names: dict[int, str] = {}
    for rule in shown.rules:
        if len(rule.periods) <= _MOST_NAMED and rule.kind != OTHERS_KIND:
            for start, _ in rule.periods:
                names.setdefault(shown.zone.local(start) // DAY, title_of(rule))
    return names | {day.number: _name_of(day, named=named) for day in shown.days if day.holidays}


def _name_of(day: YearDay, *, named: bool) -> str:
    """Return the names of the holidays of a day, with their calendars if `named` and if there is room."""
    long, short = (
        " · ".join(_holiday_name(each, named=each_named) for each in day.holidays)
        for each_named in (named, False)
    )
    return long if text_width(long, _NAME_SIZE) <= TRACK else short


def _lanes(day: YearDay, shown: Year) -> dict[int | None, list[_Box]]:
    """Return the boxes of each rule of a day; rules that block together share its height.

    A day of more than `_MOST_LANES` rules shows the first ones, and the others as one, under None.
    """
    parts = shown_parts(day, shown.zone)
    rules = list(dict.fromkeys(rule for rule, _, _ in parts))
    drawn = rules if len(rules) <= _MOST_LANES else rules[: _MOST_LANES - 1]
    bits = {rule: 1 << number for number, rule in enumerate(drawn)}
    rest = 1 << len(drawn)
    edges: dict[int, list[tuple[int, int]]] = {}
    for rule, start, end in parts:
        bit = bits.get(rule, rest)
        edges.setdefault(start, []).append((bit, 1))
        edges.setdefault(end, []).append((bit, -1))
    return _boxes([*drawn, *([None] if len(drawn) < len(rules) else [])], sorted(edges.items()))


def _boxes(
    drawn: Sequence[int | None], edges: Sequence[tuple[int, Sequence[tuple[int, int]]]]
) -> dict[int | None, list[_Box]]:
    """Sweep over the bounds of the parts of a day; each has the bit of its rule, and whether it begins."""
    boxes: dict[int | None, list[_Box]] = {rule: [] for rule in drawn}
    active = [0] * len(drawn)
    for (start, changes), (end, _) in pairwise([*edges, (DAY, ())]):
        for bit, step in changes:
            active[bit.bit_length() - 1] += step
        lanes = [rule for rule, count in zip(drawn, active, strict=True) if count]
        for lane, rule in enumerate(lanes):
            boxes[rule].append(_Box(start, end, lane, len(lanes)))
    return boxes


def _path(box: _Box, top: float, height: float) -> str:
    x, width = _x(box.start), (box.end - box.start) * TRACK / DAY
    each = height / box.lanes
    return f"M{x:.5g} {top + box.lane * each:.5g}h{width:.4g}v{each:.4g}h-{width:.4g}z"


def _hatched(hatching: str, paths: Sequence[str]) -> str:
    return f'<path fill="url(#{hatching})" d="{"".join(paths)}"/>'


def filled(style: Style, path: str) -> str:
    """Return a path in the colour of a style, and its hatching over it."""
    return f'<path class="fill {style.colour}" d="{path}"/>{_hatched(style.hatching, [path])}'


def _cells(days: Sequence[YearDay], *, weekend: bool) -> str:
    chosen = (day for day in days if (weekday(day.number) >= _SATURDAY) is weekend and day.pieces)
    return "".join(f"M0 {_y(day)}h{COLUMN}v{_CELL}h-{COLUMN}z" for day in chosen)


def _x(seconds: int) -> float:
    return GUTTER + seconds * TRACK / DAY


def _y(day: YearDay) -> int:
    return HEAD + (day.date.day - 1) * ROW


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in a font of `size`; letters of other scripts are as wide as high."""
    return size * sum(0.54 if each.isascii() else 0.62 if each < "\u1100" else 1 for each in text)


def fitted(text: str, width: float, size: float) -> str:
    """Return a text that fits a width, cut with an ellipsis if it must be."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text, size) > width - size:
        text = text[:-1]
    return f"{text.rstrip()}…"
