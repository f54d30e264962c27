"""A difference as a picture: which hours open and close, a column for each day, a panel for each environment.

The SVG stands alone: it needs neither a style sheet, nor a script, nor a font of its own, so that a viewer of
files shows it as a browser does. Hatchings tell the colours apart for people who can't, and its title and
description say what it shows.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from app.core.counted import counted
from app.core.diff.occurrences import span_in_words
from app.core.diff.result import Diff, ServiceGroup
from app.core.diff.totals import Total, headline, hours_in_words, listed, totals
from app.core.diff.words import services_in_words
from app.core.instant import DAY, HOUR
from app.core.interval import Interval, normalise
from app.core.rule_style import HATCHING_PATHS
from app.core.wallclock import Zone, calendar_date, weekday
from app.core.xml_text import xml_text

_LEFT: Final = 46
_TOP: Final = 74
_HEAD: Final = 40
"""Height above the hours of a panel: its name, the months, the days."""

_HOUR_HEIGHT: Final = 5
_PANEL: Final = _HEAD + 24 * _HOUR_HEIGHT + 22
_WIDEST_DAY: Final = 16
_NARROWEST_DAY: Final = 3
_DRAWN_WIDTH: Final = 1_000
_NUMBERED: Final = 12
"""Width of a day from which on it carries its number; narrower, only Mondays do."""

_LEAST_WIDTH: Final = 640
_MOST_PANELS: Final = 12
_MOST_BOXES: Final = 3_000
"""Boxes of a panel, beyond which those less than an hour apart are joined."""

_LETTER: Final = 10
"""The width of a letter of the headline, generously."""

_SMALL_LETTER: Final = 7
"""That of the line above a panel."""
_NAMED: Final = 4
"""Services of a panel up to which each is named."""

_MONTH: Final = 52
"""The width of the name of a month."""

_SATURDAY: Final = 5
_TEXT: Final = "#1f2328"
_QUIET: Final = "#59636e"
_GRID: Final = "#d1d9e0"
_WEEKEND: Final = "#f0f2f5"


class _Fill(NamedTuple):
    """The colour of opened or closed hours, and the line of their hatching."""

    name: str
    colour: str
    path: str


_OPENS: Final = _Fill("opens", "#1a7f37", HATCHING_PATHS[0])
_CLOSES: Final = _Fill("closes", "#b42318", HATCHING_PATHS[3])


class _Grid(NamedTuple):
    """The days that are drawn, by number, and how wide each is."""

    zone: Zone
    first_day: int
    days: int
    day_width: int

    @classmethod
    def of(cls, period: Interval, zone: Zone) -> "_Grid":
        first, last = zone.local(period[0]) // DAY, zone.local(period[1] - 1) // DAY
        days = last - first + 1
        return cls(zone, first, days, max(_NARROWEST_DAY, min(_WIDEST_DAY, _DRAWN_WIDTH // days)))

    @property
    def width(self) -> int:
        """The width of the picture."""
        return max(_LEAST_WIDTH, _LEFT + self.days * self.day_width + 16)

    def x(self, day: int) -> int:
        """Return the left edge of a day."""
        return _LEFT + (day - self.first_day) * self.day_width


def picture(found: Diff, zone: Zone) -> str:
    """Return a difference as an SVG document."""
    grid = _Grid.of(found.period, zone)
    every = totals(found)
    shown = every[:_MOST_PANELS]
    height = _TOP + max(1, len(shown)) * _PANEL + (20 if len(every) > len(shown) else 0)
    parts = [
        _root(grid.width, height),
        f'<title id="title">{xml_text(headline(found))}</title>',
        f'<desc id="description">{xml_text(_description(found, shown, zone))}</desc>',
        *_definitions(),
        f'<rect width="{grid.width}" height="{height}" fill="#ffffff"/>',
        _text(12, 24, _fitted(headline(found), grid.width), size=16, bold=True),
        _text(12, 42, f"{_between(found.period, found, zone)}. Times are {zone.name}.", colour=_QUIET),
        *_legend(),
    ]
    for number, total in enumerate(shown):
        parts += _panel(total, _for_whom(total, found), grid, _TOP + number * _PANEL)
    if not shown:
        parts += _panel(
            Total(found.environments, (), (), ServiceGroup((), (), others=False), ()), "", grid, _TOP
        )
    if len(every) > len(shown):
        more = len(every) - len(shown)
        left = counted(more, "more environment differs and is", "more environments differ and are")
        parts.append(_text(12, height - 8, f"{left} not drawn.", bold=True))
    return "\n".join([*parts, "</svg>", ""])


def _root(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="title description" '
        'font-family="system-ui,Segoe UI,Helvetica,Arial,sans-serif" font-size="12">'
    )


def _for_whom(total: Total, found: Diff) -> str:
    """Return ``, for 102 of 300 services``: what a panel is about; nothing if it is everything."""
    group = total.services
    words = services_in_words(group, found)
    if len(group.names) > _NAMED and not words.startswith("every service"):
        counted = f"{len(group.names):,} of {len(found.services):,} services"
        words = f"{counted} and unlisted ones" if group.patterns or group.others else counted
    parts = [f", for {words}"] if words != "every service" else []
    if total.changes != found.changes:
        parts.append(f", {listed(total.changes)} changes only")
    return "".join(parts)


def _fitted(text: str, width: int, letter: int = _LETTER) -> str:
    """Return a line that fits; a longer one ends in an ellipsis, and title or description have all of it."""
    most = (width - 24) // letter
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _description(found: Diff, shown: Iterable[Total], zone: Zone) -> str:
    """Return the text alternative: for each panel its sums, and its first and last stretch."""
    sentences = []
    for total in shown:
        stretches = sorted((*total.opened, *total.closed))
        opened, closed = map(hours_in_words, total.seconds)
        sentences.append(
            f"{listed(total.environments)}: {opened} open, {closed} close{_for_whom(total, found)}, "
            f"in {counted(len(stretches), 'stretch', 'stretches')}; "
            f"the first is {_between(stretches[0], found, zone)}, "
            f"the last {_between(stretches[-1], found, zone)}."
        )
    return " ".join(sentences) or f"Nothing is drawn: {headline(found)}."


def _between(stretch: Interval, found: Diff, zone: Zone) -> str:
    return span_in_words(stretch, zone, found.period[0])


def _definitions() -> Iterator[str]:
    yield "<defs>"
    for fill in (_OPENS, _CLOSES):
        yield (
            f'<pattern id="{fill.name}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="{fill.colour}"/>'
            f'<path d="{fill.path}" stroke="#ffffff" stroke-opacity="0.6" stroke-width="1.2" fill="none"/>'
            "</pattern>"
        )
    yield "</defs>"


def _legend() -> Iterator[str]:
    x = 12
    for fill, words in (
        (_OPENS, "opens: deploys are possible only after the change"),
        (_CLOSES, "closes: deploys are possible only before it"),
    ):
        yield _box(x, 52, 18, 12, fill)
        yield _text(x + 24, 62, words)
        x += 390


def _panel(total: Total, for_whom: str, grid: _Grid, top: int) -> Iterator[str]:
    """Yield the panel of one or several environments that are alike."""
    opened, closed = map(hours_in_words, total.seconds)
    name = f"{listed(total.environments, 6)}: opens {opened}, closes {closed}{for_whom}"
    hours_top = top + _HEAD
    yield _text(12, top + 14, _fitted(name, grid.width, _SMALL_LETTER), bold=True)
    yield from _months(grid, hours_top)
    yield from _days(grid, hours_top)
    for hour in range(0, 25, 6):
        y = hours_top + hour * _HOUR_HEIGHT
        yield f'<path d="M{_LEFT} {y}H{grid.x(grid.first_day + grid.days)}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 6, y + 4, f"{hour:02}:00", size=10, colour=_QUIET, anchor="end")
    # What opens for one service may close for another at the same time: side by side then.
    drawn = sum(end - start for start, end in normalise((*total.opened, *total.closed)))
    both = drawn < sum(total.seconds)
    for lane, (intervals, fill) in enumerate(((total.opened, _OPENS), (total.closed, _CLOSES))):
        yield from _boxes(intervals, fill, grid, (hours_top, lane if both else 0, 2 if both else 1))


def _days(grid: _Grid, top: int) -> Iterator[str]:
    """Yield the weekends and the numbers of days."""
    bottom = top + 24 * _HOUR_HEIGHT
    for day in range(grid.first_day, grid.first_day + grid.days):
        date, x = calendar_date(day), grid.x(day)
        if weekday(day) >= _SATURDAY:
            size = f'width="{grid.day_width}" height="{bottom - top}"'
            yield f'<rect x="{x}" y="{top}" {size} fill="{_WEEKEND}"/>'
        if weekday(day) == 0:
            yield f'<path d="M{x} {top}V{bottom}" stroke="{_GRID}"/>'
        if grid.day_width >= _NUMBERED or (weekday(day) == 0 and grid.day_width * 7 >= _NUMBERED):
            yield _text(x + 1, top - 3, str(date.day), size=8, colour=_QUIET)


def _months(grid: _Grid, top: int) -> Iterator[str]:
    """Yield the names of months: short ones where there is no room, the first before its days if it must."""
    days = range(grid.first_day, grid.first_day + grid.days)
    begins = [day for day in days if day == grid.first_day or calendar_date(day).day == 1]
    for day, following in zip(begins, [*begins[1:], None], strict=True):
        end = grid.width if following is None else grid.x(following)
        if end - grid.x(day) >= _MONTH:
            yield _text(grid.x(day), top - 14, f"{calendar_date(day):%b %Y}", size=10, colour=_QUIET)
        else:
            short = f"{calendar_date(day):%b}"
            x, anchor = (grid.x(day), "start") if following is None else (end - 4, "end")
            yield _text(x, top - 14, short, size=10, colour=_QUIET, anchor=anchor)


def _boxes(
    intervals: Iterable[Interval], fill: _Fill, grid: _Grid, place: tuple[int, int, int]
) -> Iterator[str]:
    """Yield a box for each day of each stretch; `place` is the top, the lane and the number of lanes."""
    top, lane, lanes = place
    width = (grid.day_width - 1) / lanes
    for day, start, end in _drawn(intervals, grid.zone):
        x = grid.x(day) + lane * width
        height = max((end - start) * _HOUR_HEIGHT / HOUR, 1)
        yield _box(x, top + start * _HOUR_HEIGHT / HOUR, width, height, fill)


def _drawn(intervals: Iterable[Interval], zone: Zone) -> list[tuple[int, int, int]]:
    """Return the day of each box, and the seconds of it at which it begins and ends."""
    local = normalise(part for start, end in intervals for part in zone.shown(start, end))
    boxes = list(_by_day(local))
    if len(boxes) > _MOST_BOXES:
        # Narrower gaps can't be seen.
        joined = normalise((start, end + HOUR) for start, end in local)
        boxes = list(_by_day((start, end - HOUR) for start, end in joined))
    return boxes


def _by_day(intervals: Iterable[Interval]) -> Iterator[tuple[int, int, int]]:
    for start, end in intervals:
        for day in range(start // DAY, (end - 1) // DAY + 1):
            yield day, max(start - day * DAY, 0), min(end - day * DAY, DAY)


def _box(x: float, y: float, width: float, height: float, fill: _Fill) -> str:
    return (
        f'<rect x="{x:.5g}" y="{y:.6g}" width="{width:.4g}" height="{height:.4g}" '
        f'fill="url(#{fill.name})" stroke="{fill.colour}" stroke-width="0.5"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    bold: bool = False,
    colour: str = _TEXT,
    anchor: str = "start",
) -> str:
    weight = ' font-weight="600"' if bold else ""
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{weight}{placed}>{xml_text(words)}</text>'
    )
