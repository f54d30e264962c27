"""The geometry of the timeline: four weeks of an environment, days across, hours down, a colour per rule.

Pure computation, in units of the SVG that a template draws. Days and hours are those of the policies' home
zone; labels give times in the zone of their rule, as everywhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from app.core.decision import Stretch
from app.core.explain import local_time, started, undirected
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR
from app.core.interval import Interval
from app.core.reason import own_reason
from app.core.rule_style import Style
from app.core.wallclock import Zone, calendar_date, weekday
from app.gate.calendar_lanes import Run, runs_of
from app.gate.overview import DAYS, Weeks

DAY_WIDTH: Final = 34
HOUR_HEIGHT: Final = 7
LEFT: Final = 40
TOP: Final = 34
_GAP: Final = 2
_MARK: Final = 5
_MOST_MARKS: Final = 3
"""Marks that have their full width; more of them share it."""
_SATURDAY: Final = 5

WIDTH: Final = LEFT + DAYS * DAY_WIDTH + 1
HEIGHT: Final = TOP + 24 * HOUR_HEIGHT + 6


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class StretchShape(NamedTuple):
    """The boxes and the label of one stretch of one rule."""

    style: Style
    label: str
    boxes: tuple[Box, ...]


class Day(NamedTuple):
    """The column of a day."""

    x: int
    number: str
    month: str
    """Set for the first column and the first of each month; short enough for its column."""
    name: str
    weekend: bool
    monday: bool
    today: bool


class LegendEntry(NamedTuple):
    """The title of the rule of a style."""

    style: Style
    title: str


class Timeline(NamedTuple):
    """The timeline that the template draws."""

    environment: str
    days: tuple[Day, ...]
    drawn: tuple[StretchShape, ...]
    past: Box
    """The past part of today, which is dimmed."""
    legend: tuple[LegendEntry, ...]
    now: Box
    whole: bool
    """False if there are too many changes to draw."""


def draw_timeline(weeks: Weeks, styles: Mapping[str, Style], home: Zone, now: int) -> Timeline:
    """Draw what blocks an environment, on the wall clock of `home`."""
    boxes: dict[tuple[str, int | None, int | None], list[Box]] = {}
    stretches: dict[tuple[str, int | None, int | None], Stretch] = {}
    for part in (part for run in runs_of(weeks.segments) for part in run.parts):
        shown = home.shown(part.start, part.end)
        for stretch, across in zip(part.rules, _across(len(part.rules)), strict=True):
            key = (stretch.rule.id, stretch.start, stretch.end)
            stretches[key] = stretch
            boxes.setdefault(key, []).extend(_boxes(weeks.first_day, shown, across))
    x, y = LEFT, round(TOP + home.local(now) % DAY * HOUR_HEIGHT / HOUR, 2)
    return Timeline(
        weeks.environment,
        _days(weeks.first_day),
        tuple(StretchShape(styles[key[0]], _label(stretches[key], now), tuple(boxes[key])) for key in boxes),
        Box(x, TOP, DAY_WIDTH - _GAP, round(y - TOP, 2)),
        tuple(_legend(stretches.values(), styles, now)),
        Box(x, y, DAY_WIDTH - _GAP, 0),
        weeks.whole,
    )


def each_once(found: Iterable[Weeks]) -> list[Weeks]:
    """Return the weeks of environments; those with the same freezes as one, by all of their names."""
    once: list[tuple[list[Run], Weeks]] = []
    for weeks in found:
        runs = list(runs_of(weeks.segments))
        place = next((at for at, (known, _) in enumerate(once) if known == runs), None)
        if place is None or not weeks.whole:
            once.append((runs, weeks))
        else:
            names = f"{once[place][1].environment}, {weeks.environment}"
            once[place] = (runs, weeks._replace(environment=names))
    return [weeks for _, weeks in once]


def _legend(stretches: Iterable[Stretch], styles: Mapping[str, Style], now: int) -> Iterator[LegendEntry]:
    """Yield the title of each style, ad-hoc freezes first, except for rules that have ended.

    A legend that is cut to a few entries must not leave out the incident.
    """
    rules = {each.rule.id: each.rule for each in stretches if each.end is None or each.end > now}
    shown = [own_id for own_id in styles if own_id in rules]
    for own_id in sorted(shown, key=lambda each: not isinstance(rules[each], Freeze)):
        yield LegendEntry(styles[own_id], rules[own_id].title)


def _across(rules: int) -> Iterator[tuple[float, float]]:
    """Yield the place and width of each rule of a part: the first leads, the others are marks."""
    whole = DAY_WIDTH - _GAP
    marks = min((rules - 1) * _MARK, _MOST_MARKS * _MARK)
    yield 0, whole - marks
    for number in range(rules - 1):
        width = marks / (rules - 1)
        yield whole - marks + number * width, width


def _boxes(first_day: int, shown: Iterable[Interval], across: tuple[float, float]) -> Iterator[Box]:
    """Yield a box for each day."""
    beside, width = across
    for start, end in shown:
        for day in range(start // DAY, (end - 1) // DAY + 1):
            above = max(start - day * DAY, 0) * HOUR_HEIGHT / HOUR
            below = min(end - day * DAY, DAY) * HOUR_HEIGHT / HOUR
            x = LEFT + (day - first_day) * DAY_WIDTH + beside
            yield Box(round(x, 2), round(TOP + above, 2), round(width, 2), round(below - above, 2))


@lru_cache(maxsize=4)
def _days(first_day: int) -> tuple[Day, ...]:
    """Return the columns; the same for all environments on one day."""
    return tuple(_columns(first_day))


def _columns(first_day: int) -> Iterator[Day]:
    for column in range(DAYS):
        day = first_day + column
        date = calendar_date(day)
        yield Day(
            LEFT + column * DAY_WIDTH,
            str(date.day),
            f"{date:%b}" if column == 0 or date.day == 1 else "",
            f"{date:%a}"[:2],
            weekday(day) >= _SATURDAY,
            weekday(day) == 0,
            column == 0,
        )


def _label(stretch: Stretch, now: int) -> str:
    start, end = stretch.bounds(now)
    since = "for longer than two years" if start is None else f"from {local_time(start, stretch.zone, now)}"
    until = "with no end in sight" if end is None else f"to {local_time(end, stretch.zone, now)}"
    own = own_reason(stretch.rule.title, stretch.rule.reason)
    label = f"{stretch.rule.title.rstrip('.')}: {since} {until}. {own}".rstrip()
    if isinstance(stretch.rule, Freeze):
        who = started(stretch.rule, stretch.zone, now)
        label = f"{label.rstrip('.')}. {who[0].upper()}{who[1:]}."
    return undirected(label)
