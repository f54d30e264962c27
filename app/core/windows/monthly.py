"""``monthly: {from: last workday -2 18:00, to: first workday 08:00}``: every month, on the wall clock."""

import calendar as gregorian
from collections.abc import Iterator
from datetime import date
from functools import cached_property, lru_cache
from typing import Final, Self

from pydantic import Field, model_validator

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import MonthBoundText, Months
from app.core.holiday_calendar import Calendar, is_off
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.month_day import DAY_OF_MONTH, LAST, MONTHS, WORKDAY, MonthDay, describe_month_bound
from app.core.notation import WEEKDAYS
from app.core.wallclock import Wall, calendar_date, local_day, weekday
from app.core.window import Window
from app.core.workdays import NATIONWIDE, Workdays, nth_workday

_EVERY_MONTH: Final = tuple(range(1, 13))

_REACH: Final = 12
"""Months around a day that may anchor it: an offset of 31 workdays, with the longest breaks, takes fewer."""

_LONGEST: Final = 24
"""Months after which a window closes if there is no day that `to` means; lint warns about those."""


class Monthly(Window):
    """Open from one day of the month to another, every month or in some; a bare day as `to` is included."""

    from_: MonthBoundText = Field(
        alias="from",
        description="day of the month (from its first second), or day and local time, at which it opens; a "
        "month without that day is left out",
        examples=["last workday -2 18:00"],
    )
    to: MonthBoundText = Field(
        description="day of the month (to its end), or day and local time, at which it closes: the first one "
        "after `from`, in whatever month",
        examples=["first workday 08:00"],
    )
    months: tuple[Months, ...] = Field(
        (_EVERY_MONTH,),
        min_length=1,
        description="the months whose day `from` means, before its offset; every month if left out",
        examples=[["mar", "jun", "sep", "dec"]],
        json_schema_extra={"default": ["jan-dec"]},
    )
    workdays: Workdays | None = Field(
        None,
        description="the calendar by which workdays are counted; Monday to Friday, whether a holiday or not, "
        "if left out",
        examples=[{"country": "NL"}],
    )

    @model_validator(mode="after")
    def _opens_and_closes(self) -> Self:
        if self.from_.time is not None and self.from_ == self.to and self.opens_in == frozenset(_EVERY_MONTH):
            raise MalformedValueError("from and to are equal; for no end write always: true")
        if faults := list(self._faults()):
            raise FaultyValuesError(faults)
        return self

    def _faults(self) -> Iterator[Fault]:
        day = self.from_.day
        if day.unit == DAY_OF_MONTH and all(day.nth > days_of(month) for month in self.opens_in):
            named = ", ".join(MONTHS[month - 1] for month in sorted(self.opens_in))
            yield Fault(("from",), f"there is no day {day.nth} in {named}; the last one is called last")
        if self.workdays is not None and WORKDAY not in (self.from_.day.unit, self.to.day.unit):
            yield Fault(("workdays",), "neither from nor to is a workday, such as last workday; leave it out")

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval for each month that has the day and may touch the span."""
        first, last = wall.day(span[0]) - 1, wall.day(span[1]) + 2
        return [(wall.start(start), wall.end(end)) for start, end in self.openings(first, last)]

    def openings(self, first: int, last: int) -> Iterator[Interval]:
        """Yield start and end, in local time, of each opening that touches the days `first` to before `last`.

        Later months never open or close earlier. So the search ends, in either direction, with the first
        opening that lies outside.
        """
        here = month_of(first)
        for month in range(here, here - _LONGEST - 2 * _REACH, -1):
            opening = self.opening(month)
            if opening is not None:
                if opening[1] <= first * DAY:
                    break
                yield opening
        for month in range(here + 1, month_of(last) + _REACH):
            opening = self.opening(month)
            if opening is not None:
                if opening[0] >= last * DAY:
                    break
                yield opening

    def opening(self, month: int) -> Interval | None:
        """Return start and end, in local time, of the opening of a month; None if it doesn't open."""
        day = self.starts.of(month) if month % 12 + 1 in self.opens_in else None
        if day is None:
            return None
        start = day * DAY + (self.from_.time or 0)
        closes_in = self.closing_month(start, month)
        if closes_in is None:
            return start, _first_day(month + _LONGEST) * DAY
        return start, self._end(closes_in) or start

    def closing_month(self, start: int, month: int) -> int | None:
        """Return the month whose `to` is the first one after a start in a month; None if none is near."""
        found = None
        for each in range(month, month - _REACH, -1):
            end = self._end(each)
            if end is not None:
                if end <= start:
                    break
                found = each
        if found is not None:
            return found
        later = range(month + 1, month + _LONGEST)
        return next((each for each in later if (self._end(each) or start) > start), None)

    def words(self) -> str:
        """Return ``every month from 18:00 on the last workday to 08:00 on the first workday``."""
        months = [gregorian.month_name[month] for month in sorted(self.opens_in)]
        listed = ", ".join(months[:-1]) + " and " * (len(months) > 1) + months[-1]
        when = "every month" if len(months) == len(_EVERY_MONTH) else f"in {listed}"
        pause = "," if self.from_.time is not None and self.from_.day.offset else ""
        until = describe_month_bound(self.to)
        last = until if self.to.time is not None else f"the end of {until}"
        return f"{when} from {describe_month_bound(self.from_)}{pause} to {last}{self._by_workdays()}"

    def covers(self, other: Window) -> bool:
        """Return whether it has the same bounds, and opens in all months of another monthly window."""
        return (
            isinstance(other, Monthly)
            and (self.from_, self.to) == (other.from_, other.to)
            and self.calendar == other.calendar
            and self.opens_in >= other.opens_in
        )

    @cached_property
    def opens_in(self) -> frozenset[int]:
        """The months in which it opens; January is 1."""
        return frozenset(month for months in self.months for month in months)

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar by which workdays are counted."""
        return Calendar() if self.workdays is None else self.workdays.calendar

    @cached_property
    def starts(self) -> "MonthDays":
        """The days on which it may open."""
        return month_days(self.from_.day, self.calendar)

    @cached_property
    def ends(self) -> "MonthDays":
        """The days on which it may close."""
        return month_days(self.to.day, self.calendar)

    def _end(self, month: int) -> int | None:
        day = self.ends.of(month)
        return None if day is None else day * DAY + (DAY if self.to.time is None else self.to.time)

    def _by_workdays(self) -> str:
        keys = self.workdays
        if keys is None:
            return ""
        part = None if keys.subdivision == NATIONWIDE else keys.subdivision
        named = " ".join(filter(None, (keys.country or keys.market, part)))
        return f" (by the workdays of {named})" if named else " (by workdays of its own)"


class MonthDays:
    """The days that a `MonthDay` means by a calendar, month by month; use `month_days()`, which caches it.

    A month is numbered by 12 times its year, plus 0 for January to 11 for December.
    """

    def __init__(self, day: MonthDay, workdays: Calendar) -> None:
        """Find the days by the workdays of a calendar; a year is expanded on first use."""
        self._day = day
        self._workdays = workdays
        self._years: dict[int, list[int | None]] = {}

    def of(self, month: int) -> int | None:
        """Return the number of the day of a month; None if the month doesn't have it."""
        year = month // 12
        days = self._years.get(year)
        if days is None:
            days = self._years[year] = [self._find(year * 12 + each) for each in range(12)]
        return days[month % 12]

    def _find(self, month: int) -> int | None:
        first, after = _first_day(month), _first_day(month + 1)
        unit, nth, offset = self._day
        if unit == WORKDAY:
            return self._find_workday(first, after)
        if unit == DAY_OF_MONTH:
            day = after - 1 if nth == LAST else first + nth - 1
        elif nth == LAST:
            day = after - 1 - (weekday(after - 1) - WEEKDAYS.index(unit)) % 7
        else:
            day = first + (WEEKDAYS.index(unit) - weekday(first)) % 7 + 7 * (nth - 1)
        return day + offset if day < after else None

    def _find_workday(self, first: int, after: int) -> int | None:
        _, nth, offset = self._day
        if nth == LAST:
            day = nth_workday(self._workdays, after, -1)
        else:
            day = nth_workday(self._workdays, first - 1, nth)
        if not first <= day < after or is_off(self._workdays, day):
            return None
        return nth_workday(self._workdays, day, offset)


@lru_cache(maxsize=4096)
def month_days(day: MonthDay, workdays: Calendar) -> MonthDays:
    """Return the days that a `MonthDay` means; equal ones share their months."""
    return MonthDays(day, workdays)


def month_of(day: int) -> int:
    """Return the number of the month that a day is in."""
    on = calendar_date(day)
    return 12 * on.year + on.month - 1


def days_of(month: int) -> int:
    """Return the most days that a month of the year may have; January is 1."""
    return gregorian.monthrange(2000, month)[1]  # a leap year


def _first_day(month: int) -> int:
    return local_day(date(month // 12, month % 12 + 1, 1))
