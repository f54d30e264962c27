"""``holidays: {country: NL, eve_from: "14:00", until: "08:00"}``: public holidays and their eves."""

import difflib
import re
from calendar import day_name, month_name
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import TimeOfDay
from app.core.holiday_calendar import Calendar, Holiday, OwnDay, is_off, names_of, year_of
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import CalendarDay, format_time_of_day
from app.core.wallclock import Wall, calendar_date
from app.core.window import Window
from app.core.workdays import CalendarKeys, next_workday

_MARGIN: Final = 2
"""Days around a span, for zones that skip a day."""

_MOST_EVE_DAYS: Final = 30

_MOST_GUESSES: Final = 20
"""Suggestions for one list of names: finding the nearest name takes a millisecond."""

_MOST_SHOWN: Final = 5
"""Days of `add` or `remove` that are listed in words."""

_LONG_WORD: Final = 5
_LONGEST_NAME: Final = 60
"""Characters of a name that are compared."""


class Holidays(CalendarKeys, Window):
    """The holidays of a calendar as whole local days, with optional eves and bridge days."""

    model_config = ConfigDict(json_schema_extra={"dependencies": {"eve_days": ["eve_from"]}})

    names: tuple[Annotated[str, Field(title="holiday name pattern")], ...] = Field(
        (),
        description="only the holidays with these names; `*` matches anything, upper and lower case are "
        "alike; all if left out",
        examples=[["*Thanksgiving*"]],
    )
    except_names: tuple[Annotated[str, Field(title="holiday name pattern")], ...] = Field(
        (), description="not the holidays with these names; `*` as in `names`", examples=[["Goede Vrijdag"]]
    )
    eve_from: TimeOfDay | None = Field(
        None,
        description="local time on the last working day before the holiday, or on an earlier one by "
        "`eve_days`, at which it opens; at midnight if left out",
        examples=["14:00"],
    )
    eve_days: int = Field(
        1,
        ge=1,
        le=_MOST_EVE_DAYS,
        description="how many working days before the holiday `eve_from` is",
        examples=[2],
    )
    until: TimeOfDay | None = Field(
        None,
        description="local time on the first working day after the holiday at which it closes; at midnight "
        "if left out",
        examples=["08:00"],
    )
    bridge_days: bool = Field(
        False,
        strict=True,
        description="whether a single working day between a holiday and other days off is frozen as well",
        examples=[True],
    )

    @model_validator(mode="after")
    def _has_holidays(self) -> Self:
        if self.country is None and self.market is None and not self.add:
            raise MalformedValueError("name a country or a market, or days of your own under add")
        faults = list(self._faults_of_eves())
        if self.names or self.except_names:
            faults += self._faults_of_names()
        if faults:
            raise FaultyValuesError(faults)
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval for each holiday, from its eve to the day after."""
        first, last = self._days_of((wall.day(span[0]), wall.day(span[1])))
        return [
            (wall.start(start), wall.end(end))
            for start, end in _local_intervals(self, first // 128, last // 128 + 1)
        ]

    def _days_of(self, days: Interval) -> Interval:
        """Return the first and last day whose freeze may reach into a span of days."""
        first, last = days
        if self.until is not None:
            first = self.working_day(first, -1)
        if self.eve_from is not None:
            last = self._nth_working_day(last, 1)
        return first - _MARGIN, last + _MARGIN

    def words(self) -> str:
        """Return ``on public holidays of NL, from 14:00 of the working day before, …``."""
        days = [*self._listed_days(), *map(_own_day, self.calendar.added)]
        return ", ".join([f"on {_few(days)}", *self._restrictions(), *self._bounds()])

    def _listed_days(self) -> list[str]:
        if not self.calendar.is_listed:
            return []
        kind = " and ".join(self.categories) or ("public" if self.country else "market")
        where = " ".join(filter(None, (self.country or self.market, self.calendar.subdivision)))
        return [f"{kind} holidays of {where}"]

    def _restrictions(self) -> list[str]:
        weekend = [day_name[day] for day in self.calendar.weekend or ()]
        removed = _few([_day(each) for each in self.remove])
        parts = (
            (self.names, f"named {' or '.join(self.names)}"),
            (self.except_names, f"except {' and '.join(self.except_names)}"),
            (self.remove, f"without {removed}"),
            (self.weekend is not None, f"with {_few(weekend) or 'no day'} as the weekend"),
            (self.bridge_days, "with bridge days"),
        )
        return [words for is_said, words in parts if is_said]

    def _bounds(self) -> list[str]:
        parts = []
        if self.eve_from is not None:
            when = " on the working day" if self.eve_days == 1 else f", {self.eve_days} working days"
            parts.append(f"from {format_time_of_day(self.eve_from)}{when} before")
        if self.until is not None:
            parts.append(f"until {format_time_of_day(self.until)} on the working day after")
        return parts

    def selects(self, holiday: Holiday) -> bool:
        """Return whether `names` selects a holiday and `except_names` doesn't exclude it."""
        if self.names and not matches(self.names, holiday.forms):
            return False
        return not (self.except_names and matches(self.except_names, holiday.forms))

    def freezes(self, day: int) -> bool:
        """Return whether a day is a selected holiday or a bridge day; eves don't count."""
        return self._is_selected(day) or self._is_bridge(day)

    def working_day(self, day: int, step: int) -> int:
        """Return the next working day after a day, or the last one before it with a step of -1."""
        return next_workday(day, step, lambda each: is_off(self.calendar, each) or self._is_bridge(each))

    def _nth_working_day(self, day: int, step: int) -> int:
        """Return the working day `eve_days` after a day, or before it with a step of -1."""
        for _ in range(self.eve_days):
            day = self.working_day(day, step)
        return day

    def _faults_of_eves(self) -> Iterator[Fault]:
        if "eve_days" in self.model_fields_set and self.eve_from is None:
            sentence = 'goes with eve_from; write the time too, such as eve_from: "14:00"'
            yield Fault(("eve_days",), sentence)

    def _faults_of_names(self) -> Iterator[Fault]:
        # A subdivision may lack a nationwide day; excluding it there is harmless.
        whole = self.calendar._replace(subdivision=None)
        yield from self._unknown_names("names", self.names, [self.calendar])
        yield from self._unknown_names("except_names", self.except_names, [self.calendar, whole])

    def _unknown_names(self, key: str, patterns: Iterable[str], known: list[Calendar]) -> Iterator[Fault]:
        code = self.country or self.market
        what = f"the name of a holiday of {code}" if code else "a title under add"
        for index, pattern in enumerate(patterns):
            if not any(matches((pattern,), names_of(calendar)) for calendar in known):
                hint = _nearest_holiday(self.calendar, pattern) if index < _MOST_GUESSES else ""
                yield Fault((key, index), f"not {what}{hint}")

    def _is_selected(self, day: int) -> bool:
        holidays = year_of(self.calendar, calendar_date(day).year).holidays.get(day, ())
        return any(map(self.selects, holidays))

    def _is_bridge(self, day: int) -> bool:
        """Return whether it is a single working day between days off, next to a selected holiday."""
        if not self.bridge_days or is_off(self.calendar, day):
            return False
        beside = (day - 1, day + 1)
        return all(is_off(self.calendar, each) for each in beside) and any(map(self._is_selected, beside))

    def _local_interval(self, day: int) -> Interval:
        """Return start and end, in local time, of the freeze of a holiday or bridge day."""
        start, end = day * DAY, (day + 1) * DAY
        if self.eve_from is not None:
            start = self._nth_working_day(day, -1) * DAY + self.eve_from
        if self.until is not None:
            end = self.working_day(day, 1) * DAY + self.until
        return start, end


@lru_cache(maxsize=16384)
def _block(window: Holidays, number: int) -> tuple[Interval, ...]:
    """Return the local intervals of the holidays in 128 days; the same in every zone."""
    first, last = number * 128, (number + 1) * 128
    days: Iterable[int] = range(first, last)
    if not window.bridge_days:
        years = {calendar_date(first).year, calendar_date(last - 1).year}
        days = [
            day for year in years for day in year_of(window.calendar, year).holidays if first <= day < last
        ]
    return tuple(
        window._local_interval(day)  # noqa: SLF001 - a method of this file's own class, cached by its value
        for day in days
        if window.freezes(day)
    )


def _local_intervals(window: Holidays, first: int, last: int) -> Iterator[Interval]:
    for number in range(first, last):
        yield from _block(window, number)


def matches(patterns: Iterable[str], names: Iterable[str]) -> bool:
    """Return whether any pattern matches any name; case is ignored, and `*` matches anything."""
    return any(_glob(pattern).fullmatch(name) for pattern in patterns for name in names)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)


def _own_day(own: OwnDay) -> str:
    return f"{own.title} ({_day(own.date)})"


def _day(day: CalendarDay) -> str:
    """Return ``11 June 2027``, or ``every 11 June``."""
    month = month_name[day.month]
    return f"every {day.day} {month}" if day.year is None else f"{day.day} {month} {day.year}"


def _few(words: list[str]) -> str:
    """Return ``a, b and c``: the first of many, and how many are left out."""
    left_out = len(words) - _MOST_SHOWN
    shown = [*words[:_MOST_SHOWN], f"{left_out} more"] if left_out > 0 else words
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def _nearest_holiday(calendar: Calendar, pattern: str) -> str:
    known = sorted(names_of(calendar))
    # Kerstmis is nearer to the kerstdag of "Eerste kerstdag" than to the whole name.
    words = {word: name for name in known for word in name.lower().split() if len(word) >= _LONG_WORD}
    words |= {name.lower(): name for name in known}
    close = difflib.get_close_matches(pattern[:_LONGEST_NAME].strip("*").lower(), words, 1, 0.6)
    if close:
        return f'; did you mean "{words[close[0]]}"?'
    return f'; it has, for one, "{known[0]}"' if known else ""
