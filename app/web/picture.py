"""Four weeks of an environment as a picture: days across, hours down, a colour for each rule.

Pure geometry: what comes out is drawn by a template, in units of the picture.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from app.core.decision import Stretch
from app.core.explain import local_time
from app.core.instant import DAY, HOUR
from app.core.policy import Effect, Policy
from app.core.wallclock import Zone, calendar_date, weekday
from app.gate.overview import WEEKS, Weeks

DAY_WIDTH: Final = 34
HOUR_HEIGHT: Final = 7
LEFT: Final = 40
TOP: Final = 34
_GAP: Final = 2
_SATURDAY: Final = 5
COLOURS: Final = 8
"""How many colours there are; each has a hatching of its own as well."""

AD_HOC: Final = "rule-freeze"
"""The style of every ad-hoc freeze."""

WIDTH: Final = LEFT + WEEKS * 7 * DAY_WIDTH + 1
HEIGHT: Final = TOP + 24 * HOUR_HEIGHT + 6


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Drawn(NamedTuple):
    """One stretch of one rule: its boxes, and what it says."""

    style: str
    label: str
    boxes: tuple[Box, ...]


class Day(NamedTuple):
    """One column."""

    x: int
    number: str
    month: str
    """Named above the first column and the first of each month."""
    name: str
    weekend: bool
    today: bool


class LegendEntry(NamedTuple):
    """What a colour stands for."""

    style: str
    title: str


class Picture(NamedTuple):
    """What the template draws."""

    environment: str
    days: tuple[Day, ...]
    drawn: tuple[Drawn, ...]
    past: tuple[Box, ...]
    """What lies behind now, to be veiled."""
    legend: tuple[LegendEntry, ...]
    now: Box


def rule_styles(policies: Sequence[Policy]) -> dict[str, str]:
    """The style of each policy that can block, by id: the same in every picture and list of a page.

    Those that only warn have none, so that the colours last longer.
    """
    vetoing = (each for each in policies if each.effect is not Effect.WARN)
    return {policy.id: f"rule-{number % COLOURS}" for number, policy in enumerate(vetoing)}


def picture(weeks: Weeks, styles: Mapping[str, str], home: Zone, now: int) -> Picture:
    """Draw what blocks an environment; local times are those of `home`."""
    boxes: dict[tuple[str, int | None, int | None], list[Box]] = {}
    stretches: dict[tuple[str, int | None, int | None], Stretch] = {}
    for segment in weeks.segments:
        for lane, stretch in enumerate(segment.blocking):
            key = (stretch.rule.id, stretch.start, stretch.end)
            stretches[key] = stretch
            boxes.setdefault(key, []).extend(
                _boxes(weeks, home, segment.start, segment.end, lane, len(segment.blocking))
            )
    local = home.local(now)
    return Picture(
        weeks.environment,
        tuple(_days(weeks, local // DAY)),
        tuple(
            Drawn(styles.get(key[0], AD_HOC), _label(stretches[key], home, now), tuple(boxes[key]))
            for key in boxes
        ),
        tuple(_past(weeks, home, now)),
        tuple(_legend(stretches.values(), styles)),
        Box(
            LEFT + (local // DAY - weeks.first_day) * DAY_WIDTH,
            TOP + local % DAY * HOUR_HEIGHT / HOUR,
            DAY_WIDTH,
            0,
        ),
    )


def _legend(stretches: Iterable[Stretch], styles: Mapping[str, str]) -> Iterator[LegendEntry]:
    """What each colour stands for, policies first; ad-hoc freezes share one."""
    rules = {stretch.rule.id: stretch.rule for stretch in stretches}
    for own_id, style in styles.items():
        if own_id in rules:
            yield LegendEntry(style, rules[own_id].title)
    for own_id, rule in rules.items():
        if own_id not in styles:
            yield LegendEntry(AD_HOC, rule.title)


def _past(weeks: Weeks, home: Zone, now: int) -> Iterator[Box]:
    """The days before today, and of today what is over."""
    today, seconds = divmod(home.local(now), DAY)
    gone = (today - weeks.first_day) * DAY_WIDTH
    if gone:
        yield Box(LEFT, TOP, gone, 24 * HOUR_HEIGHT)
    yield Box(LEFT + gone, TOP, DAY_WIDTH - _GAP, round(seconds * HOUR_HEIGHT / HOUR, 2))


def _boxes(weeks: Weeks, home: Zone, start: int, end: int, lane: int, lanes: int) -> Iterator[Box]:
    """The part of each day from `start` to `end`; rules that block together share its width."""
    # Not the local time of the end itself: a day that begins there has no part in it.
    first, last = home.local(start), home.local(end - 1) + 1
    width = (DAY_WIDTH - _GAP) / lanes
    for day in range(first // DAY, (last - 1) // DAY + 1):
        above = max(first - day * DAY, 0) * HOUR_HEIGHT / HOUR
        below = min(last - day * DAY, DAY) * HOUR_HEIGHT / HOUR
        x = LEFT + (day - weeks.first_day) * DAY_WIDTH + lane * width
        yield Box(round(x, 2), round(TOP + above, 2), round(width, 2), round(max(below - above, 0), 2))


def _days(weeks: Weeks, today: int) -> Iterator[Day]:
    for column in range(WEEKS * 7):
        day = weeks.first_day + column
        date = calendar_date(day)
        month = f"{date:%B}" if column == 0 or date.day == 1 else ""
        yield Day(
            LEFT + column * DAY_WIDTH,
            str(date.day),
            month,
            f"{date:%a}"[:2],
            weekday(day) >= _SATURDAY,
            day == today,
        )


def _label(stretch: Stretch, home: Zone, now: int) -> str:
    start, end = stretch.bounds(now)
    since = "for longer than two years" if start is None else f"from {local_time(start, home, now)}"
    until = "with no end in sight" if end is None else f"to {local_time(end, home, now)}"
    return f"{stretch.rule.title.rstrip('.')}: {since} {until}. {stretch.rule.reason}"
