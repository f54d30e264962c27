"""The recurrence of a deployment freeze, as days on which it opens and as windows of policies.yaml."""

import calendar
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.notation import WEEKDAYS
from app.core.wallclock import calendar_date, local_day, weekday
from app.policies.importers.spans import (
    ALWAYS,
    WEEK,
    Entry,
    after,
    before,
    every_days,
    every_month,
    every_weeks,
    every_year,
    joined,
    on_days,
    once,
)
from app.yaml.problem import quoted

_LAST_DAY: Final = local_day(date(2100, 12, 31))
_KEYS: Final = (
    "Type",
    "Unit",
    "EndType",
    "EndOnDate",
    "EndAfterOccurrences",
    "StartDate",
    "EndDate",
    "UserUtcOffsetInMinutes",
    "DaysOfWeek",
    "MonthlyScheduleType",
    "DateOfMonth",
    "DayNumberOfMonth",
    "DayOfWeek",
)
_NAMES: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""The weekdays of Octopus, by number."""

_NUMBERS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 0, "l": 0}
_LAST: Final = 0
_ORDINALS: Final = ("last", "1st", "2nd", "3rd", "4th")
_LONGEST_MONTH: Final = 31
_LONGEST: Final = 27 * DAY
"""The longest span of a monthly window, so that one ends before the next begins in any month."""

_MOST_DATES: Final = 100
"""The most windows of `dates` that stand for a recurrence."""

_MOST_UNITS: Final = 999
"""The most days, weeks, months or years between two occurrences."""

_FEW: Final = 5
"""A recurrence that ends after so many times is written as dates."""


class Recurrence(NamedTuple):
    """On which days a freeze opens again."""

    kind: str
    """``Daily``, ``Weekly``, ``Monthly`` or ``Annually``."""
    unit: int = 1
    """Every so many days, weeks, months or years."""
    weekdays: frozenset[int] = frozenset()
    """Of each week; Monday is 0."""
    month_day: int | None = None
    """The day of each month; `_LAST` for its last one."""
    nth: tuple[int, int] | None = None
    """Which of its weekdays, and the weekday."""
    until: int | None = None
    """The last day on which it opens."""
    times: int | None = None
    """How often it opens."""

    def opens_on(self, day: int, first: int) -> bool:
        """Return whether it opens on a day; `first` is the day on which it opened first."""
        on, origin = calendar_date(day), calendar_date(first)
        if self.kind == "Daily":
            return (day - first) % self.unit == 0
        if self.kind == "Weekly":
            return weekday(day) in self.weekdays and (_sunday(day) - _sunday(first)) // 7 % self.unit == 0
        if self.kind == "Monthly":
            months = (on.year - origin.year) * 12 + on.month - origin.month
            return months % self.unit == 0 and self._is_day_of_month(on)
        return (on.year - origin.year) % self.unit == 0 and (on.month, on.day) == (origin.month, origin.day)

    def _is_day_of_month(self, on: date) -> bool:
        length = calendar.monthrange(on.year, on.month)[1]
        if self.nth is None:
            return on.day == (self.month_day or length)
        number, day = self.nth
        if on.weekday() != day:
            return False
        return on.day + 7 > length if number == _LAST else (on.day + 6) // 7 == number


class Schedule(NamedTuple):
    """When a freeze is open: at first, and where it recurs. Local times are at one offset from UTC."""

    start: int
    length: int
    recurrence: Recurrence | None

    def is_open(self, local: int) -> bool:
        """Return whether it is open at a local time."""
        latest = max(self._starts(local), default=None)
        return latest is not None and local < latest + self.length

    def windows(self, now: int) -> tuple[list[Entry], list[Entry]]:
        """Return its windows, and those to subtract from them.

        Args:
            now: an instant; what was before it need not be said.

        Raises:
            MalformedValueError: no windows can express it.
        """
        if self.recurrence is None:
            return [once(self.start, self.start + self.length)], []
        if self.recurrence.times is not None and self.recurrence.times <= _FEW:
            return self._dates(), []
        found = _windows(self.start, self.length, self.recurrence)
        if found is None:
            return self._dates(), []
        if not self.recurrence.opens_on(self.start // DAY, self.start // DAY):
            found = [once(self.start, self.start + self.length), *found]
        return found, list(self._outside(now))

    def remarks(self) -> Iterator[str]:
        """Yield sentences on readings that Octopus leaves open."""
        if self.recurrence is None:
            return
        first = self.start // DAY
        if not self.recurrence.opens_on(first, first):
            yield "begins on a day on which it doesn't recur; it is frozen on that day, too"
        if self.recurrence.kind == "Monthly" and (self.recurrence.month_day or 0) > 28:  # noqa: PLR2004 - February
            yield f"recurs on day {self.recurrence.month_day}; months without that day have no freeze"

    def _outside(self, now: int) -> Iterator[Entry]:
        """Yield windows of the time before its first start and after its last end."""
        if self.start > now - DAY:  # a day more: `now` is in UTC
            yield before(self.start)
        if self.recurrence and (self.recurrence.until is not None or self.recurrence.times is not None):
            end = max(self._starts(_LAST_DAY * DAY)) + self.length
            if end < _LAST_DAY * DAY:
                yield after(end)

    def _dates(self) -> list[Entry]:
        starts = list(self._starts(_LAST_DAY * DAY))
        if len(starts) > _MOST_DATES:
            raise MalformedValueError(
                "no window expresses its recurrence, and it recurs too often to be written as dates"
            )
        return [once(start, start + self.length) for start in starts]

    def _starts(self, last: int) -> Iterator[int]:
        """Yield each local time at which it opens, up to a local time."""
        if self.start <= last:
            yield self.start
        if self.recurrence is None:
            return
        first, until = self.start // DAY, self.recurrence.until
        count = int(self.recurrence.opens_on(first, first))
        for day in range(first + 1, (last - self.start % DAY) // DAY + 1):
            if count == self.recurrence.times or (until is not None and day > until):
                return
            if self.recurrence.opens_on(day, first):
                count += 1
                yield day * DAY + self.start % DAY


def read_recurrence(written: Mapping[str, Any], ends_on: int | None) -> Recurrence:
    """Read a RecurringSchedule.

    Args:
        written: the schedule.
        ends_on: its EndOnDate as a local time; None if it has none.

    Raises:
        MalformedValueError: it is unknown or incomplete.
    """
    if unknown := [key for key in written if key not in _KEYS]:
        raise MalformedValueError(f"the key {quoted(str(unknown[0]))} of its recurrence is unknown")
    unit = written.get("Unit", 1)
    if type(unit) is not int or not 1 <= unit <= _MOST_UNITS:
        raise MalformedValueError(f"Unit is a number from 1 to {_MOST_UNITS}")
    until, times = _end(written, ends_on)
    return _days(written, str(written.get("Type")))._replace(unit=unit, until=until, times=times)


def _days(written: Mapping[str, Any], kind: str) -> Recurrence:
    """Return a recurrence with its days only."""
    if kind in ("Daily", "Annually"):
        return Recurrence(kind)
    if kind == "Weekly":
        return Recurrence(kind, weekdays=_days_of_week(written.get("DaysOfWeek")))
    if kind == "Monthly":
        number, nth = _day_of_month(written)
        return Recurrence(kind, month_day=number, nth=nth)
    raise MalformedValueError(f"the recurrence {quoted(kind)} is unknown")


def _end(written: Mapping[str, Any], ends_on: int | None) -> tuple[int | None, int | None]:
    """Return the last day, or the number of times, after which it doesn't recur."""
    end, times = written.get("EndType", "Never"), written.get("EndAfterOccurrences")
    if end == "Never":
        return None, None
    if end == "OnDate" and ends_on is not None:
        return ends_on // DAY, None
    if end == "AfterOccurrences" and isinstance(times, int) and times > 0:
        return None, times
    raise MalformedValueError(f"EndType {quoted(str(end))} is unknown, or what goes with it is missing")


def _days_of_week(written: Any) -> frozenset[int]:
    names = written.split(",") if isinstance(written, str) else written
    if not isinstance(names, list) or not names:
        raise MalformedValueError("DaysOfWeek is empty")
    return frozenset(map(_weekday, names))


def _weekday(written: Any) -> int:
    """Return a weekday by its name or number; Sunday is 0 in Octopus."""
    if type(written) is int and written in range(7):
        return (written - 1) % 7
    name = str(written).strip().lower()
    if name not in _NAMES:
        raise MalformedValueError(f"{quoted(str(written))} is no weekday")
    return (_NAMES.index(name) - 1) % 7


def _day_of_month(written: Mapping[str, Any]) -> tuple[int | None, tuple[int, int] | None]:
    """Return the date, or the number and weekday, on which a monthly freeze opens."""
    kind = written.get("MonthlyScheduleType")
    if kind == "DateOfMonth":
        return _number(written.get("DateOfMonth"), _LONGEST_MONTH), None
    if kind == "DayOfMonth":
        return None, (_number(written.get("DayNumberOfMonth"), 4), _weekday(written.get("DayOfWeek")))
    raise MalformedValueError(f"MonthlyScheduleType {quoted(str(kind))} is unknown")


def _number(written: Any, most: int) -> int:
    """Return a number of a month; `_LAST` for its last one."""
    text = str(written).strip().lower()
    number = _NUMBERS.get(text, int(text) if text.isdecimal() else -1)
    if text == "0" or not _LAST <= number <= most:
        raise MalformedValueError(f"{quoted(str(written))} is neither a number up to {most} nor L")
    return number


def _windows(start: int, length: int, recurrence: Recurrence) -> list[Entry] | None:
    """Return the windows of a recurrence without its bounds; None if it can't be said."""
    if recurrence.kind == "Daily":
        return every_days(start, length, recurrence.unit)
    if recurrence.kind == "Weekly":
        return _weekly(start, length, recurrence)
    if recurrence.kind == "Annually":
        yearly = every_year(start, length) if recurrence.unit == 1 else None
        return None if yearly is None else [yearly]
    return _monthly(start, length, recurrence)


def _weekly(start: int, length: int, recurrence: Recurrence) -> list[Entry] | None:
    """Return the windows of a weekly recurrence: one for each weekday if it isn't every week.

    The weeks of Octopus begin on Sunday, ours on Monday, so each weekday counts from its own first date.
    """
    if recurrence.unit == 1:
        return on_days(recurrence.weekdays, start % DAY, length) if length < WEEK else [ALWAYS]
    days = range(start // DAY, start // DAY + 7 * recurrence.unit)
    opens = (day for day in days if recurrence.opens_on(day, start // DAY))
    return joined(every_weeks(day * DAY + start % DAY, length, recurrence.unit) for day in opens)


def _monthly(start: int, length: int, recurrence: Recurrence) -> list[Entry] | None:
    months = _months(start, recurrence.unit)
    if months is None or length > _LONGEST:
        return None
    if recurrence.nth is None:
        day = str(recurrence.month_day or "last")
    else:
        day = f"{_ORDINALS[recurrence.nth[0]]} {WEEKDAYS[recurrence.nth[1]]}"
    window = every_month(day, start % DAY, length, months)
    return None if window is None else [window]


def _months(start: int, unit: int) -> list[int] | None:
    """Return the months of each year in which it opens, none for all; None if years differ."""
    if unit == 1:
        return []
    if 12 % unit:
        return None
    return sorted((calendar_date(start // DAY).month - 1 + step) % 12 + 1 for step in range(0, 12, unit))


def _sunday(day: int) -> int:
    """Return the first day of a week that begins on Sunday."""
    return day - (weekday(day) + 1) % 7
