"""The geometry of calendars: freezes as bars, on a row for each week or on one for each environment.

Pure computation, in units of the SVG that a template draws. A freeze is one bar in the colour of the rule
that leads it; stripes along its foot are rules that overlap. Freezes of single services are thin bars below.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from app.core.instant import DAY
from app.core.rule_style import Style
from app.core.wallclock import Zone, calendar_date, weekday
from app.gate.calendar_lanes import Lane
from app.web.calendar_bars import THIN, Bar, Box, Canvas, Row, Title

WEEK: Final = 7
_SATURDAY: Final = 5
_BOLD_LETTER: Final = 7.4
_HEAD: Final = 24
_BETWEEN_TICKS: Final = 62
_TICK: Final = 44
"""The width of a date, to be whole before the edge."""
_WIDE_DAY: Final = 20
"""Units of a day from which days are lines of their own."""
_APART: Final = 3
"""Units between bars and the thin bars below."""
_FEW_WEEKS: Final = 5
"""Weeks up to which all rows are equally high."""
_CLOSE: Final = 13
"""Units within which deploys share a mark."""
_MOST_NAMED: Final = 5


class Cell(NamedTuple):
    """A day, or the part of a row that it takes."""

    x: float
    y: float
    width: float
    height: float
    number: str
    """Empty where there is no room for it."""
    first: bool
    """Whether it begins a month, or the picture; then `number` has the month, too."""
    weekend: bool
    today: bool


class Picture(NamedTuple):
    """A calendar as a template draws it."""

    size: str
    """``wide`` or ``narrow``, for the stylesheet."""
    width: int
    height: int
    names: tuple[Title, ...]
    cells: tuple[Cell, ...]
    ticks: tuple[Title, ...]
    bars: tuple[Bar, ...]
    past: tuple[Box, ...]
    now: Box | None
    rows: tuple[Box, ...]


class Mark(NamedTuple):
    """Deploys on a ribbon, those that are close together as one."""

    x: float
    y: float
    number: int
    overridden: bool
    """Whether any of them was let through by a token."""
    label: str


class Sheet(NamedTuple):
    """The measures of a drawing."""

    size: str
    width: int
    bar: int
    """The height of a bar."""
    titled: bool
    """Whether titles stand above the bars."""


WIDE: Final = Sheet("wide", 1120, 20, titled=True)
NARROW: Final = Sheet("narrow", 344, 16, titled=False)
WIDE_QUARTER: Final = Sheet("wide", 1120, 16, titled=False)


class View(NamedTuple):
    """The days that are drawn, and what they are seen by."""

    first_day: int
    days: int
    where: Zone
    now: int
    styles: Mapping[str, Style]

    def canvas(self, sheet: Sheet, days: int, *, titled: bool) -> Canvas:
        """Return a canvas of a sheet with this many days across."""
        return Canvas(sheet.width, days * DAY, sheet.bar, titled, self.where, self.now, self.styles)

    @property
    def local(self) -> int:
        """The local time of now."""
        return self.where.local(self.now)


def draw_weeks(lane: Lane, view: View, sheet: Sheet, number: int = 0) -> Picture:
    """Draw the freezes of a lane on a row for each week, from a Monday on; `number` is that of the lane."""
    canvas = view.canvas(sheet, WEEK, titled=sheet.titled)
    rows = _weeks(lane, view, sheet, canvas)
    width = sheet.width / WEEK
    ticks = [
        Title(round((column + 0.5) * width, 2), 14, f"{calendar_date(view.first_day + column):%a}")
        for column in range(WEEK)
    ]
    return Picture(
        sheet.size, sheet.width, round(rows[-1].y + rows[-1].height) + 1, (),
        tuple(_days_of_weeks(rows, view, width)), tuple(ticks), canvas.bars(lane, number, rows),
        *_past(rows, canvas),
        tuple(Box(0, row.y, sheet.width, row.height) for row in rows),
    )  # fmt: skip


def draw_ribbon(lanes: Sequence[Lane], view: View, sheet: Sheet) -> Picture:
    """Draw the freezes of several lanes, each on a row of its own."""
    canvas = view.canvas(sheet, view.days, titled=False)
    first, last = view.first_day * DAY, (view.first_day + view.days) * DAY
    rows: list[Row] = []
    y = _HEAD
    for lane in lanes:
        height = 20 + sheet.bar + _below(lane) + 8
        rows.append(Row(first, last, y, y + 20, y + 20 + sheet.bar + _APART, height))
        y += height
    bars = (canvas.bars(lane, at, [row]) for at, (lane, row) in enumerate(zip(lanes, rows, strict=True)))
    room = int(sheet.width / _BOLD_LETTER)
    names = [
        Title(0, row.y + 14, _few(each.environments, room)) for row, each in zip(rows, lanes, strict=True)
    ]
    return Picture(
        sheet.size, sheet.width, y,
        tuple(names),
        tuple(_days_of_ribbon(view, sheet.width / view.days, y - _HEAD)),
        tuple(_ticks(view, sheet.width / view.days)),
        tuple(bar for of_lane in bars for bar in of_lane),
        *_past([Row(first, last, _HEAD, _HEAD, _HEAD, y - _HEAD)], canvas),
        tuple(Box(0, row.bar, sheet.width, sheet.bar) for row in rows),
    )  # fmt: skip


def draw_marks(
    picture: Picture, view: View, deploys: Sequence[Sequence[tuple[int, str, bool]]]
) -> tuple[Mark, ...]:
    """Return marks of deploys on a ribbon.

    Args:
        picture: the ribbon.
        view: its days.
        deploys: of each lane, the instants, the words, and whether a token lifted the freeze.
    """
    found: list[Mark] = []
    for row, of_lane in zip(picture.rows, deploys, strict=True):
        marks: list[Mark] = []
        for at, words, overridden in of_lane:
            share = (view.where.local(at) / DAY - view.first_day) / view.days
            mark = Mark(round(share * picture.width, 2), row.y + row.height / 2, 1, overridden, words)
            if marks and mark.x - marks[-1].x < _CLOSE:
                mark = _joined(marks.pop(), mark)
            marks.append(mark)
        found += marks
    return tuple(found)


def monday_of(day: int) -> int:
    """Return the day of the Monday of a week."""
    return day - weekday(day)


def _below(lane: Lane) -> int:
    """Return the height that thin bars need."""
    return THIN + _APART if lane.scoped else 0


def _weeks(lane: Lane, view: View, sheet: Sheet, canvas: Canvas) -> list[Row]:
    """Return a row for each week; of a quarter, weeks in which little happens are low."""
    numbers, above = (18, 16) if sheet.titled else (16, 0)
    rows: list[Row] = []
    y = _HEAD
    for first in range(view.first_day, view.first_day + view.days, WEEK):
        bar = y + numbers + above
        row = Row(first * DAY, (first + WEEK) * DAY, y, bar, bar + sheet.bar + _APART, 0)
        below = bar + sheet.bar + _below(lane)
        if view.days > _FEW_WEEKS * WEEK:
            has_bars, has_thin = canvas.touched(lane, row)
            row = row if has_bars else row._replace(thin=bar)
            below = bar + has_bars * sheet.bar + has_thin * (THIN + has_bars * _APART)
        rows.append(row._replace(height=below + 6 - y))
        y = below + 6
    return rows


def _joined(mark: Mark, later: Mark) -> Mark:
    """Return one mark for two; the first few are named."""
    label = f"{mark.label}; {later.label}" if mark.number < _MOST_NAMED else mark.label
    either = mark.overridden or later.overridden
    return mark._replace(number=mark.number + 1, overridden=either, label=label)


def _few(names: Sequence[str], room: int) -> str:
    """Return names in words, and the number of those for which there is no room."""
    for shown in range(len(names), 0, -1):
        more = len(names) - shown
        text = ", ".join(names[:shown]) + (f" and {more} more" if more else "")
        if len(text) <= room:
            return text
    return f"{names[0][: max(room - 1, 1)]}…"


def _days_of_weeks(rows: Sequence[Row], view: View, width: float) -> Iterator[Cell]:
    today = view.local // DAY
    for row in rows:
        for column, day in enumerate(range(row.first // DAY, row.last // DAY)):
            date = calendar_date(day)
            begins = date.day == 1 or day == view.first_day
            number = f"{date.day} {date:%b}" if begins else str(date.day)
            x = round(column * width, 2)
            weekend = weekday(day) >= _SATURDAY
            yield Cell(x, row.y, round(width, 2), row.height, number, begins, weekend, day == today)


def _days_of_ribbon(view: View, width: float, height: float) -> Iterator[Cell]:
    """Yield the days that are drawn: all if there is room, else weekends and first days of months."""
    for column in range(view.days):
        day = view.first_day + column
        begins, weekend = calendar_date(day).day == 1, weekday(day) >= _SATURDAY
        if begins or weekend or width >= _WIDE_DAY:
            x = round(column * width, 2)
            yield Cell(x, _HEAD, round(width, 2), height, "", begins, weekend, day == view.local // DAY)


def _ticks(view: View, width: float) -> Iterator[Title]:
    """Yield the dates of days, or of Mondays, as many as there is room for."""
    end = view.first_day + view.days
    monday = view.first_day + (-weekday(view.first_day)) % WEEK
    weeks = next(each for each in (1, 2, 4, 8, 16) if each * WEEK * width >= _BETWEEN_TICKS)
    is_daily = width >= _BETWEEN_TICKS
    for day in range(view.first_day, end) if is_daily else range(monday, end, weeks * WEEK):
        x, date = (day - view.first_day) * width, calendar_date(day)
        if x + _TICK <= view.days * width:
            yield Title(round(x, 2), 14, f"{date:%a} {date.day}" if is_daily else f"{date.day} {date:%b}")


def _past(rows: Sequence[Row], canvas: Canvas) -> tuple[tuple[Box, ...], Box | None]:
    """Return what is over, and the line of now; None if that is not in the picture."""
    local = canvas.where.local(canvas.now)
    over = tuple(
        Box(0, row.y, canvas.x(row, min(local, row.last)), row.height) for row in rows if local > row.first
    )
    present = [row for row in rows if row.first <= local < row.last]
    return over, Box(canvas.x(present[0], local), present[0].y, 0, present[0].height) if present else None
