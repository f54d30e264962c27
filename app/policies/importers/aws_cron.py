"""The cron expressions of AWS CodePipeline's DeploymentWindow rule: seconds to weekdays, perhaps a year.

They are those of Quartz. A deploy is allowed in each minute that an expression matches; AWS doesn't look at
the seconds. One of the two fields for days is ``?``.
"""

import calendar
import re
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.interval import Interval, normalise
from app.core.notation import WEEKDAYS
from app.core.wallclock import calendar_date
from app.policies.importers.spans import Entry, every_month
from app.policies.importers.wall_windows import EVERY_DAY, cron_numbers, cron_windows, daily_windows, runs
from app.yaml.problem import quoted

_FIELDS: Final = (6, 7)
_WEEK: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS: Final = tuple(f"{date(2000, month, 1):%b}".upper() for month in range(1, 13))
_ALL_MONTHS: Final = frozenset(range(1, 13))
_ALL_DAYS: Final = frozenset(range(1, 32))
_YEARS: Final = (2000, 2100)
_PART: Final = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", re.ASCII)
_NTH: Final = re.compile(r"(\w+?)(?:#([1-5])|L)", re.ASCII)
_ORDINALS: Final = ("last", "1st", "2nd", "3rd", "4th", "5th")
_LAST: Final = 0


class Window(NamedTuple):
    """The times at which an expression allows deploys."""

    ranges: Sequence[Interval]
    """Of each of its days, in seconds."""
    months: frozenset[int]
    years: frozenset[int] | None
    """None for all."""
    days: frozenset[int] = _ALL_DAYS
    """Of a month."""
    weekdays: frozenset[int] = EVERY_DAY
    """Monday is 0."""
    nth: tuple[int, int] | None = None
    """Which of a month's weekdays, `_LAST` for the last one, and the weekday."""
    last: str = ""
    """``last`` or ``last workday``, where only that day of a month counts."""

    def contains(self, local: int) -> bool:
        """Return whether a local time matches."""
        on = calendar_date(local // DAY)
        return (
            any(start <= local % DAY < end for start, end in self.ranges)
            and on.month in self.months
            and (self.years is None or on.year in self.years)
            and on.day in self.days
            and on.weekday() in self.weekdays
            and self._is_the_day(on)
        )

    def windows(self) -> tuple[list[Entry], list[Entry]]:
        """Return its windows, and those to subtract from them."""
        return [*self._windows()], [*self._other_years()]

    @property
    def whole_hours(self) -> bool:
        """Whether it begins and ends on the hour."""
        return all(bound % HOUR == 0 for each in self.ranges for bound in each)

    def _windows(self) -> Sequence[Entry]:
        if self.last:
            return self._monthly(self.last)
        if self.nth is not None:
            return self._monthly(f"{_ORDINALS[self.nth[0]]} {WEEKDAYS[self.nth[1]]}")
        if self.months == _ALL_MONTHS and self.days == _ALL_DAYS:
            return daily_windows(self.weekdays, self.ranges)
        weekdays = {(day + 1) % 7 for day in self.weekdays}
        fields = (
            _field(self.days, _ALL_DAYS),
            _field(self.months, _ALL_MONTHS),
            _field(weekdays, EVERY_DAY),
        )
        return cron_windows(" ".join(fields), self.ranges)

    def _monthly(self, day: str) -> Sequence[Entry]:
        months = [] if self.months == _ALL_MONTHS else self.months
        found = [every_month(day, start, end - start, months) for start, end in self.ranges]
        return [entry for entry in found if entry]

    def _other_years(self) -> list[Entry]:
        if self.years is None:
            return []
        others = set(range(_YEARS[0], _YEARS[1] + 1)) - self.years
        return [{"dates": {"from": f"{first}-01-01", "to": f"{last}-12-31"}} for first, last in runs(others)]

    def _is_the_day(self, on: date) -> bool:
        length = calendar.monthrange(on.year, on.month)[1]
        if self.last:
            days = range(1, length + 1)
            counted = [day for day in days if self.last == "last" or on.replace(day=day).weekday() < 5]  # noqa: PLR2004 - Saturday
            return on.day == counted[-1]
        if self.nth is None:
            return True
        number, day = self.nth
        is_number = on.day + 7 > length if number == _LAST else (on.day + 6) // 7 == number
        return on.weekday() == day and is_number


def read_window(text: str) -> Window:
    """Read an expression such as ``0 * 9-16 ? * MON-FRI *``.

    Raises:
        MalformedValueError: it is none, or no window expresses it.
    """
    fields = text.upper().split()
    if len(fields) not in _FIELDS:
        raise MalformedValueError(f"the cron expression {quoted(text)} has {len(fields)} fields, not 6 or 7")
    seconds, minutes, hours, month_days, months, weekdays, years = [*fields, "*"][:7]
    if seconds not in ("*", "0"):
        raise MalformedValueError(f"the seconds {quoted(seconds)} can't be expressed; AWS documents * only")
    if (month_days == "?") is (weekdays == "?"):
        raise MalformedValueError("one of day-of-month and day-of-week is ?, and only one")
    window = Window(
        _ranges(_numbers(minutes, 0, 59), _numbers(hours, 0, 23)),
        _numbers(months, 1, 12, _MONTHS),
        None if years == "*" else _numbers(years, 1970, 2199),
    )
    return _on_weekdays(window, weekdays) if month_days == "?" else _on_month_days(window, month_days)


def _on_month_days(window: Window, field: str) -> Window:
    if field == "L":
        return window._replace(last="last")
    if field == "LW":
        return window._replace(last="last workday")
    if field.startswith("L-"):
        raise MalformedValueError(
            f"the day {quoted(field)} is read in two ways: as so many days before the last one, and as the "
            "so many to last"
        )
    if "W" in field:
        raise MalformedValueError(f"the working day nearest to a date, {quoted(field)}, can't be expressed")
    return window._replace(days=_numbers(field, 1, 31))


def _on_weekdays(window: Window, field: str) -> Window:
    if field == "L":
        return window._replace(weekdays=frozenset({5}))
    match = _NTH.fullmatch(field)
    if match is not None:
        [day] = _numbers(match[1], 1, 7, _WEEK)
        return window._replace(nth=(int(match[2] or _LAST), (day - 2) % 7))
    return window._replace(weekdays=frozenset((day - 2) % 7 for day in _numbers(field, 1, 7, _WEEK)))


def _field(numbers: Collection[int], every: Collection[int]) -> str:
    return "*" if len(numbers) == len(every) else cron_numbers(numbers)


def _ranges(minutes: frozenset[int], hours: frozenset[int]) -> list[Interval]:
    starts = (hour * HOUR + minute * MINUTE for hour in hours for minute in minutes)
    return normalise((start, start + MINUTE) for start in starts)


def _numbers(field: str, first: int, last: int, names: Sequence[str] = ()) -> frozenset[int]:
    """Return the numbers of a field: ``1,3``, ``MON-FRI``, ``0/15``, ``22-4``."""
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise MalformedValueError(f"{quoted(part)} of the cron expression can't be expressed")
        number = _number_of(part, first, last, names)
        start = first if match[1] == "*" else number(match[1])
        end = number(match[2]) if match[2] else _end(match, start, last)
        step, size = int(match[3] or 1), last - first + 1
        if step < 1:
            raise MalformedValueError(f"{quoted(part)} of the cron expression has a step of 0")
        found |= {first + (start - first + each) % size for each in range(0, (end - start) % size + 1, step)}
    return frozenset(found)


def _end(match: re.Match[str], start: int, last: int) -> int:
    """Return the last number of a part without a range: with a star or a step, all that follow."""
    return last if match[1] == "*" or match[3] else start


def _number_of(part: str, first: int, last: int, names: Sequence[str]) -> Callable[[Any], int]:
    def number(text: str) -> int:
        value = first + names.index(text) if text in names else int(text) if text.isdecimal() else -1
        if not first <= value <= last:
            raise MalformedValueError(
                f"{quoted(part)} of the cron expression is no number from {first} to {last}"
            )
        return value

    return number
