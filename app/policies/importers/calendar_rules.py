"""Recurrence rules of calendars (RFC 5545, 3.3.10) as windows of policies.yaml, where they are equal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dateutil.rrule import rrulestr

from app.core.instant import DAY
from app.core.notation import WEEKDAYS
from app.core.vcalendar import local_seconds, local_time
from app.core.wallclock import calendar_date, weekday
from app.policies.importers.spans import (
    WEEK,
    Entry,
    every_days,
    every_month,
    every_weeks,
    every_year,
    joined,
    on_days,
)

_CODES: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BOUNDS: Final = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_LAST: Final = "21001231T235959"
_ORDINALS: Final = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th", -1: "last"}
_MONDAY_TO_FRIDAY: Final = [(0, day) for day in range(5)]
_LONGEST: Final = 27 * DAY
"""The longest span of a monthly window, so that one ends before the next begins in any month."""


class Rule:
    """A recurrence rule with the local time of its first occurrence."""

    def __init__(self, written: Mapping[str, Any], start: int) -> None:
        """Take the parts of a rule, each with a list of values; UNTIL is a local time."""
        self._parts = {key: values for key, values in written.items() if key not in ("UNTIL", "WKST")}
        self._written = written
        self._start = start
        self._rule = self._expanding()

    @property
    def is_bounded(self) -> bool:
        """Whether it ends."""
        return bool({"COUNT", "UNTIL"} & set(self._written))

    def starts(self) -> Iterator[int]:
        """Yield the local time of each occurrence until 2100, in order."""
        return map(local_seconds, self._rule)

    def between(self, first: int, last: int) -> list[int]:
        """Return the local times of the occurrences from one local time to another."""
        return [
            local_seconds(each) for each in self._rule.between(local_time(first), local_time(last), inc=True)
        ]

    def windows(self, length: int) -> list[Entry] | None:
        """Return windows that open at its occurrences, and at others before and after them.

        None if no windows are equal. `length` is the length of an occurrence, on the wall clock.
        """
        if next(self.starts(), None) != self._start:
            return None
        ways = {
            "DAILY": self._daily,
            "WEEKLY": self._weekly,
            "MONTHLY": self._monthly,
            "YEARLY": self._yearly,
        }
        way = ways.get(self._parts["FREQ"][0])
        return way(length, set(self._written) - _BOUNDS) if way else None

    def _expanding(self) -> Any:
        until = [
            f"{local_time(local_seconds(each)):%Y%m%dT%H%M%S}" for each in self._written.get("UNTIL", ())
        ]
        text = ";".join(
            [
                *(f"{key}={','.join(map(str, values))}" for key, values in self._parts.items()),
                *(f"WKST={each}" for each in self._written.get("WKST", ())),
                *([] if "COUNT" in self._parts else [f"UNTIL={min([*until, _LAST])}"]),
            ]
        )
        return rrulestr(text, dtstart=local_time(self._start), cache=True)

    @property
    def _interval(self) -> int:
        return int(self._parts.get("INTERVAL", [1])[0])

    def _days(self) -> list[tuple[int, int]]:
        """Return the ordinal, 0 if there is none, and the weekday of each part of BYDAY."""
        texts = [str(each) for each in self._parts.get("BYDAY", ())]
        return [(int(text[:-2] or 0), _CODES.index(text[-2:])) for text in texts]

    def _daily(self, length: int, keys: set[str]) -> list[Entry] | None:
        if not keys:
            return every_days(self._start, length, self._interval)
        return self._weekly(length, keys) if self._interval == 1 else None

    def _weekly(self, length: int, keys: set[str]) -> list[Entry] | None:
        if not keys <= {"BYDAY"}:
            return None
        days = {day for _, day in self._days()} or {weekday(self._start // DAY)}
        if self._interval == 1:
            return on_days(days, self._start % DAY, length) if length < WEEK else None
        return joined(every_weeks(start, length, self._interval) for start in self._first_of_each(days))

    def _first_of_each(self, days: set[int]) -> Iterator[int]:
        """Yield the first occurrence on each weekday; one for each comes within two openings."""
        seen: set[int] = set()
        starts = self.starts()
        while seen < days and (start := next(starts, None)) is not None:
            if weekday(start // DAY) not in seen:
                seen.add(weekday(start // DAY))
                yield start

    def _monthly(self, length: int, keys: set[str]) -> list[Entry] | None:
        months = self._months()
        days = self._month_days(keys - {"BYMONTH"})
        if months is None or not days or length > _LONGEST:
            return None
        time = self._start % DAY
        windows = [every_month(day, time, length, months, shift) for day, shift in days]
        return [window for window in windows if window] if all(windows) else None

    def _yearly(self, length: int, keys: set[str]) -> list[Entry] | None:
        first = calendar_date(self._start // DAY)
        same = {"BYMONTH": [first.month], "BYMONTHDAY": [first.day]}
        if self._interval > 1:
            return None
        if all(key in same and list(map(int, self._parts[key])) == same[key] for key in keys):
            window = None if keys == {"BYMONTHDAY"} else every_year(self._start, length)
            return None if window is None else [window]
        return self._monthly(length, keys) if "BYMONTH" in keys else None

    def _months(self) -> list[int] | None:
        """Return the months of each year, none for all; None if years differ."""
        named = [int(each) for each in self._parts.get("BYMONTH", ())]
        if self._interval == 1 or not 12 % self._interval:
            first = calendar_date(self._start // DAY).month - 1
            steps = {(first + step) % 12 + 1 for step in range(0, 12, self._interval)}
            return sorted(steps & set(named or steps)) if named or self._interval > 1 else []
        return None

    def _month_days(self, keys: set[str]) -> list[tuple[str, int]]:
        """Return the days of each month and how far they are shifted; none if they can't be said."""
        if not keys:
            return [(str(calendar_date(self._start // DAY).day), 0)]
        if keys == {"BYMONTHDAY"}:
            return list(map(_month_day, map(int, self._parts["BYMONTHDAY"])))
        if keys == {"BYDAY"}:
            return _ordinals((nth, WEEKDAYS[day]) for nth, day in self._days())
        if keys == {"BYDAY", "BYSETPOS"} and sorted(self._days()) == _MONDAY_TO_FRIDAY:
            return _ordinals((int(each), "workday") for each in self._parts["BYSETPOS"])
        return []


def _month_day(number: int) -> tuple[str, int]:
    """Return a day of the month and how far it is shifted; from the end if negative."""
    return (str(number), 0) if number > 0 else ("last", number + 1)


def _ordinals(days: Iterable[tuple[int, str]]) -> list[tuple[str, int]]:
    """Return days such as ``2nd tue``, unshifted; none if one of them can't be said."""
    listed = list(days)
    if any(nth not in _ORDINALS for nth, _ in listed):
        return []
    return [(f"{_ORDINALS[nth]} {unit}", 0) for nth, unit in listed]
