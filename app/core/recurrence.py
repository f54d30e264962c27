"""Detect recurrence rules (RFC 5545, section 3.3.10) that never fire, before they are expanded.

The expanding library searches for the next occurrence until the year 9999. A rule whose parts exclude each
other, such as 30 February, has none; for an hourly rule that search takes minutes.
"""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from app.core.instant import LATEST
from app.core.wallclock import calendar_date, local_day

MOST_A_DAY: Final = 500
"""How often the events of one calendar may recur in a day, together."""

_LAST_DAY: Final = LATEST // 86_400
_HOURS: Final = 24
_WEEK: Final = 7
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LONGEST_MONTH: Final = 31


def fires(rule: Mapping[str, Any], start: date) -> bool:
    """Return whether a rule has an occurrence before 2100; False is certain.

    Args:
        rule: its parts, each with a list of values.
        start: the start of the event, a day or a local time.
    """
    if not _positions_exist(rule):
        return False
    days = _hourly_days(rule, start) if rule["FREQ"][0] == "HOURLY" else _days(rule, start)
    filters = _Filters(rule, start)
    return any(filters.match(calendar_date(day)) for day in days)


def per_day(rule: Mapping[str, Any]) -> float:
    """Return how often a rule recurs in a day at most, on average."""
    interval = _interval(rule)
    hours = len(rule.get("BYHOUR", "0"))
    frequency = rule["FREQ"][0]
    if frequency == "HOURLY":
        return min(hours, _HOURS) / interval if "BYHOUR" in rule else _HOURS / interval
    if frequency == "WEEKLY":
        return hours * len(rule.get("BYDAY", "0")) / _WEEK / interval
    if frequency == "DAILY":
        return hours / interval
    return float(hours)


def _positions_exist(rule: Mapping[str, Any]) -> bool:
    """Return whether BYSETPOS selects any occurrence of a period."""
    sizes = {"HOURLY": 1, "DAILY": 1, "WEEKLY": len(rule.get("BYDAY", "0")), "MONTHLY": _LONGEST_MONTH}
    size = sizes.get(rule["FREQ"][0], 366)
    if rule["FREQ"][0] != "HOURLY":
        size *= len(rule.get("BYHOUR", "0"))
    positions = rule.get("BYSETPOS", (1,))
    return any(abs(position) <= size for position in positions)


def _days(rule: Mapping[str, Any], start: date) -> Iterator[int]:
    """Yield the days of the periods selected by INTERVAL."""
    interval, frequency, first = _interval(rule), rule["FREQ"][0], _day(start)
    if frequency == "DAILY":
        yield from range(first, _LAST_DAY, interval)
        return
    week = first - calendar_date(first).weekday()
    for day in range(first, _LAST_DAY):
        if frequency == "WEEKLY":
            # A rule may begin its weeks on another day; then a week more or less is looked at.
            if "WKST" in rule or (day - week) // _WEEK % interval == 0:
                yield day
            continue
        on = calendar_date(day)
        months = (on.year - start.year) * 12 + on.month - start.month
        if (months if frequency == "MONTHLY" else on.year - start.year) % interval == 0:
            yield day


def _hourly_days(rule: Mapping[str, Any], start: date) -> Iterator[int]:
    """Yield the days with an hour selected by INTERVAL and BYHOUR."""
    interval, hours = _interval(rule), frozenset(rule.get("BYHOUR", range(_HOURS)))
    hour = _day(start) * _HOURS + (start.hour if isinstance(start, datetime) else 0)
    while hour < _LAST_DAY * _HOURS:
        day, of_day = divmod(hour, _HOURS)
        if of_day in hours:
            yield day
            hour += -(-(_HOURS - of_day) // interval) * interval  # the first one of another day
        else:
            hour += interval


class _Filters:
    """The parts of a rule that select days."""

    def __init__(self, rule: Mapping[str, Any], start: date) -> None:
        frequency = rule["FREQ"][0]
        parts = ("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")
        names_days = any(part in rule for part in parts)
        self._months = _numbers(rule, "BYMONTH")
        self._month_days = _numbers(rule, "BYMONTHDAY")
        self._year_days = _numbers(rule, "BYYEARDAY")
        self._of_month = frequency == "MONTHLY" or (frequency == "YEARLY" and "BYMONTH" in rule)
        self._weekdays = [_weekday(str(each), frequency) for each in rule.get("BYDAY", ())]
        if not names_days:
            self._take_day_of(start, frequency)

    def _take_day_of(self, start: date, frequency: str) -> None:
        """Select the day of the event's start: the default of a rule without days of its own."""
        if frequency == "WEEKLY":
            self._weekdays = [(0, start.weekday())]
        if frequency in ("MONTHLY", "YEARLY"):
            self._month_days = {start.day}
        if frequency == "YEARLY" and not self._months:
            self._months = {start.month}

    def match(self, on: date) -> bool:
        """Return whether a day is selected."""
        if self._months and on.month not in self._months:
            return False
        length = calendar.monthrange(on.year, on.month)[1]
        if self._month_days and not {on.day, on.day - length - 1} & self._month_days:
            return False
        if self._year_days and not self._matches_year_day(on):
            return False
        return not self._weekdays or any(
            self._is(on, nth, weekday, length) for nth, weekday in self._weekdays
        )

    def _matches_year_day(self, on: date) -> bool:
        number, days = on.timetuple().tm_yday, 365 + calendar.isleap(on.year)
        return bool({number, number - days - 1} & self._year_days)

    def _is(self, on: date, nth: int, weekday: int, length: int) -> bool:
        if on.weekday() != weekday:
            return False
        number, size = on.day, length
        if not self._of_month:
            number, size = on.timetuple().tm_yday, 365 + calendar.isleap(on.year)
        return nth in (0, (number - 1) // _WEEK + 1, -((size - number) // _WEEK + 1))


def _weekday(text: str, frequency: str) -> tuple[int, int]:
    """Parse ``-1SU`` as (-1, 6); only months and years have a first or last weekday."""
    nth = text[:-2] if frequency in ("MONTHLY", "YEARLY") else ""
    return int(nth or 0), _WEEKDAYS.index(text[-2:].upper())


def _numbers(rule: Mapping[str, Any], part: str) -> set[int]:
    values: Sequence[Any] = rule.get(part, ())
    return {int(value) for value in values}


def _interval(rule: Mapping[str, Any]) -> int:
    values: Sequence[int] = rule.get("INTERVAL", (1,))
    return int(values[0])


def _day(start: date) -> int:
    return local_day(start.date() if isinstance(start, datetime) else start)
