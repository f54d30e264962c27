"""``yearly: {from: 12-20 18:00, to: 01-03}``: every year, across New Year too."""

import calendar
from datetime import date
from typing import Self

from pydantic import Field, model_validator

from app.core.errors import MalformedValueError
from app.core.field_types import YearBoundText
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import YearBound, format_time_of_day
from app.core.wallclock import Wall, calendar_date, local_day
from app.core.window import Window


class Yearly(Window):
    """Open every year between two days; a bare date as `to` includes that day."""

    from_: YearBoundText = Field(
        alias="from",
        description="day (from its first second), or day and local time, at which it opens",
        examples=["12-20 18:00"],
    )
    to: YearBoundText = Field(
        description="day (to its end), or day and local time, at which it closes; in the next year if before "
        "`from`",
        examples=["01-03"],
    )

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self._first() == self._last():
            raise MalformedValueError("from and to are equal; for no end write always: true")
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval a year, from the year before the span."""
        first, last = (calendar_date(wall.day(instant)).year for instant in span)
        later = int(self._last() < self._first())
        return [
            (wall.start(_local(year, self._first())), wall.end(_local(year + later, self._last())))
            for year in range(first - 1, last + 1)
        ]

    def words(self) -> str:
        """Return ``every year from 20 December 18:00 to the end of 3 January``."""
        last = _say(self.to) if self.to.time is not None else f"the end of {_say(self.to)}"
        return f"every year from {_say(self.from_)} to {last}"

    def _first(self) -> tuple[int, int, int]:
        return self.from_.month, self.from_.day, self.from_.time or 0

    def _last(self) -> tuple[int, int, int]:
        return self.to.month, self.to.day, DAY if self.to.time is None else self.to.time


def _local(year: int, bound: tuple[int, int, int]) -> int:
    """Return the local time of a bound in a year; 02-29 of a common year is 03-01 00:00."""
    month, day, time = bound
    if (month, day) == (2, 29) and not calendar.isleap(year):
        return local_day(date(year, 3, 1)) * DAY
    return local_day(date(year, month, day)) * DAY + time


def _say(bound: YearBound) -> str:
    time = "" if bound.time is None else f" {format_time_of_day(bound.time)}"
    return f"{bound.day} {calendar.month_name[bound.month]}{time}"
