"""``cron: {start: "0 18 * * FRI", duration: 62h}``: each firing opens a window.

Expressions are read by cronsim, with Debian's meaning. Its iteration steps through time second by
second; here the fields are expanded on calendar days instead, which is some hundred times faster.
"""

import calendar
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, HOUR, LATEST, MINUTE
from app.core.interval import Interval
from app.core.notation import format_duration
from app.core.wallclock import Wall, calendar_date
from app.core.windows.window import Window
from app.core.written import Duration

_FIELDS: Final = 5
_SATURDAY: Final = 5
_LONGEST_MONTH: Final = 31
_WEEK: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_RANGE: Final = re.compile(r"(\w+)-(\w+)", re.ASCII)
_HINTS: Final = {
    "bad minute": "minutes are 0 to 59",
    "bad hour": "hours are 0 to 23",
    "bad day-of-month": "days of the month are 1 to 31, L the last, LW the last from Monday to Friday",
    "bad month": "months are 1 to 12 or JAN to DEC",
    "bad day-of-week": "days are SUN to SAT or 0 to 7, FRI#1 to FRI#5 those of a month, 5L the last Friday",
}

# A window may have been opened in the year before the first instant that is answered.
_FIRST: Final = EARLIEST - 366 * DAY
_LAST: Final = LATEST + DAY


class _Schedule(NamedTuple):
    """A cron expression, taken apart. Sunday is 0, as in cron."""

    times: tuple[int, ...]
    """Seconds of the day at which it fires, in order."""
    wildcard: bool
    """Whether its minute or hour begins with a star. As in Debian's cron, it then fires whenever the wall
    clock shows its times: in both passes of a repeated hour, and not at all in an hour that is skipped."""
    months: frozenset[int]
    days: frozenset[int]
    last_day: bool
    last_working_day: bool
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    last_weekdays: frozenset[int]
    both: bool
    """Whether day of month and day of week must both match (one begins with a star), not just either."""

    def fires_on(self, on: date) -> bool:
        """Whether it fires on a calendar day."""
        if on.month not in self.months:
            return False
        if self.both:
            return self._matches_month(on) and self._matches_week(on)
        return self._matches_month(on) or self._matches_week(on)

    def _matches_month(self, on: date) -> bool:
        if on.day in self.days:
            return True
        if not (self.last_day or self.last_working_day):
            return False
        last = calendar.monthrange(on.year, on.month)[1]
        beyond = max(0, date(on.year, on.month, last).weekday() - _SATURDAY + 1)
        return (self.last_day and on.day == last) or (self.last_working_day and on.day == last - beyond)

    def _matches_week(self, on: date) -> bool:
        number = on.isoweekday() % 7
        if number in self.weekdays or (number, (on.day - 1) // 7 + 1) in self.nth_weekdays:
            return True
        return number in self.last_weekdays and on.day + 7 > calendar.monthrange(on.year, on.month)[1]


@lru_cache(maxsize=4096)
def _checked(text: str) -> str:
    """Check an expression when the file is read, so that nothing is left to go wrong later."""
    if text.startswith("@"):
        raise MalformedValueError('@ shorthands are not read; write five fields, such as "0 0 * * *"')
    if len(text.split()) != _FIELDS:
        raise MalformedValueError(
            'not five fields (minute, hour, day of month, month, day of week), such as "0 18 * * FRI"'
        )
    schedule = _read(text)
    if not any(map(schedule.fires_on, map(calendar_date, range(EARLIEST // DAY, LATEST // DAY)))):
        raise MalformedValueError("this expression never fires")
    return text


Expression = Annotated[
    str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(_checked)
]


class Cron(Window):
    """From each firing of `start`, for an elapsed duration or to the next firing of `end`."""

    start: Expression = Field(description="five-field cron expression; each firing opens the window")
    duration: Duration | None = Field(None, description="how long it stays open, in elapsed time")
    end: Expression | None = Field(None, description="cron expression; its next firing closes the window")

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.duration is None) == (self.end is None):
            raise MalformedValueError("start goes with either duration or end")
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """One interval for each firing that may still be open in the span."""
        if self.end is not None:
            return _until_next(self.start, self.end, span, wall)
        length = self.duration or 0
        openings = _firings(self.start, wall.start, wall, span[0] - length, span[1])
        return [(at, at + length) for at in openings]

    def words(self) -> str:
        """``for 2d14h each time cron "0 18 * * FRI" fires``."""
        if self.end is not None:
            return f'from each time cron "{self.start}" fires until cron "{self.end}" fires'
        return f'for {format_duration(self.duration or 0)} each time cron "{self.start}" fires'


def _until_next(start: str, end: str, span: Interval, wall: Wall) -> list[Interval]:
    """From each firing of one expression to the next firing of the other.

    An end of fixed times is the next such time on the wall clock, as in `weekly`; only then is each bound
    read as an instant, and a window with nothing left in between is empty. An end with a wildcard names no
    single time, so there it is the next instant at which it fires.
    """
    # What was opened before a firing of `end` is over with it. The two days allow for a wall clock that
    # skips or repeats a whole day.
    since = _last_firing(end, wall, span[0] - 2 * DAY) - 2 * DAY
    until = _next_firing(end, wall, span[1] + 2 * DAY) + 2 * DAY
    if _read(end).wildcard:
        closings = [*_firings(end, wall.end, wall, since, until), _LAST]
        openings = _firings(start, wall.start, wall, since, span[1])
        return [(at, closings[bisect_right(closings, at)]) for at in openings]
    times = [*_local_times(end, since, until, wall), wall.zone.local(_LAST)]
    return [
        (at, wall.end(times[bisect_right(times, local)]))
        for local, at in _timed_firings(start, since, span[1], wall)
    ]


def _timed_firings(text: str, first: int, last: int, wall: Wall) -> Iterator[tuple[int, int]]:
    """The local times at which an expression fires, with the instant that each starts at."""
    if _read(text).wildcard:
        local = wall.zone.local
        return ((local(at), at) for at in _firings(text, wall.start, wall, first, last))
    return ((time, wall.start(time)) for time in _local_times(text, first, last, wall))


def _local_times(text: str, first: int, last: int, wall: Wall) -> list[int]:
    """The local times that an expression names around the instants from `first` to `last`, in order."""
    times, local = _read(text).times, wall.zone.local
    days = _days(text, local(first) // DAY, local(last) // DAY + 1)
    return [day * DAY + time for day in days for time in times]


def _firings(text: str, bound: Callable[[int], int], wall: Wall, first: int, last: int) -> list[int]:
    """The firings in ``[first, last)``, in order.

    `bound` turns a fixed local time into an instant: the first one after a gap, one of the two in a fold.
    """
    schedule, zone = _read(text), wall.zone
    firings: list[int] = []
    for day in _days(text, zone.local(first) // DAY - 1, zone.local(last) // DAY + 2):
        midnight = day * DAY
        start = zone.earliest(midnight)
        if zone.latest(midnight + DAY) - start == DAY:  # a plain day: no gap, no fold
            firings.extend([start + time for time in schedule.times])
            continue
        for time in schedule.times:
            local = midnight + time
            firings.extend(zone.showing(local) if schedule.wildcard else (bound(local),))
    return sorted({at for at in firings if first <= at < last})


def _last_firing(text: str, wall: Wall, at: int) -> int:
    """The last firing at or before an instant, as far back as is looked."""
    for length in _widening():
        if firings := _firings(text, wall.end, wall, max(at - length, _FIRST), at + 1):
            return firings[-1]
        if at - length < _FIRST:
            break
    return _FIRST


def _next_firing(text: str, wall: Wall, at: int) -> int:
    """The first firing at or after an instant, as far ahead as is looked."""
    for length in _widening():
        if firings := _firings(text, wall.end, wall, at, min(at + length, _LAST)):
            return firings[0]
        if at + length > _LAST:
            break
    return _LAST


def _widening() -> Iterator[int]:
    """Lengths to look through, ever longer: most expressions fire every few days."""
    length = 8 * DAY
    while True:
        yield length
        length *= 8


@lru_cache(maxsize=4096)
def _days(text: str, first: int, last: int) -> list[int]:
    """The days from `first` to before `last` on which an expression fires."""
    schedule = _read(text)
    return [day for day in range(first, last) if schedule.fires_on(calendar_date(day))]


def _complaint(found: str, text: str) -> str:
    """What cronsim found, and what would do instead."""
    _, _, days, _, weekdays = text.upper().split()
    hint = _HINTS.get(found, "")
    if found == "bad day-of-week" and any(map(_wraps, _RANGE.finditer(weekdays))):
        hint = "a range does not wrap, write FRI,SAT,SUN"
    if found == "bad day-of-month" and days.isdecimal() and 1 <= int(days) <= _LONGEST_MONTH:
        hint = "a day that its months do not have never fires"
    return f"not a cron expression: {found}" + (f"; {hint}" if hint else "")


def _wraps(match: re.Match[str]) -> bool:
    """Whether a range of days of the week ends before it begins, as ``FRI-SUN`` does."""
    first, last = (
        _WEEK.index(day) if day in _WEEK else int(day) if day.isdecimal() else 0 for day in match.groups()
    )
    return last < first


@lru_cache(maxsize=4096)
def _read(text: str) -> _Schedule:
    """Take an expression apart.

    Raises:
        MalformedValueError: it is no cron expression.
    """
    from cronsim import CronSim, CronSimError

    try:
        parsed = CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise MalformedValueError(_complaint(str(error).lower(), text)) from None
    pairs = [item for item in parsed.weekdays if isinstance(item, tuple)]
    return _Schedule(
        times=tuple(sorted(h * HOUR + m * MINUTE for h in parsed.hours for m in parsed.minutes)),
        wildcard=any(field.startswith("*") for field in text.split()[:2]),
        months=frozenset(parsed.months),
        days=frozenset(parsed.days),
        last_day=CronSim.LAST in parsed.days,
        last_working_day=CronSim.LAST_WEEKDAY in parsed.days,
        weekdays=frozenset(item % 7 for item in parsed.weekdays if isinstance(item, int)),
        nth_weekdays=frozenset((day % 7, nth) for day, nth in pairs if nth != CronSim.LAST),
        last_weekdays=frozenset(day % 7 for day, nth in pairs if nth == CronSim.LAST),
        both=parsed.day_and,
    )
