"""Workdays: steps over the days off of a calendar, and the keys that describe the calendar in policies.yaml.

A day off is a weekend or a holiday: of a country, a region or a market, or one that the file adds.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain, pairwise
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.core import holiday_codes as codes
from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import CalendarDayText, Weekdays
from app.core.holiday_calendar import (
    FIRST_YEAR,
    Calendar,
    OwnDay,
    days_in,
    is_off,
    quickly_hashed,
)
from app.core.notation import LINE_PATTERN, WEEKDAYS, CalendarDay, parse_calendar_day
from app.core.wallclock import calendar_date, weekday

NATIONWIDE: Final = "none"
"""The `subdivision` that selects nationwide holidays only."""

_LONGEST_BREAK: Final = 62
"""Consecutive days off that weekends and added days may make: two months, longer than any works holidays."""

_FEW: Final = 20
"""So many added days can't make a longer break, whatever weekends are between them."""

_FARTHEST: Final = 400
"""Days that are searched for one workday; no calendar has a break as long, so this is only a bound."""

_MOST_ADDED: Final = 1000

_WEEKDAY_CYCLE: Final = range(FIRST_YEAR, FIRST_YEAR + 28)
"""After these years, the days of the year have their weekdays again, until 2099."""


def nth_workday(calendar: Calendar, day: int, count: int) -> int:
    """Return the day that is `count` workdays after a day, or before it if negative; the day itself if 0."""
    for _ in range(abs(count)):
        day = next_workday(day, 1 if count > 0 else -1, lambda each: is_off(calendar, each))
    return day


def next_workday(day: int, step: int, is_day_off: Callable[[int], bool]) -> int:
    """Return the first day after a day that isn't off, or the last one before it with a step of -1."""
    last = day + step * _FARTHEST
    day += step
    while is_day_off(day) and day != last:
        day += step
    return day


class AddedDay(BaseModel):
    """A day off of your own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: CalendarDayText = Field(
        description="a date, or month and day for every year; 02-29 is in leap years only",
        examples=["2027-06-11", "06-11"],
    )
    title: Annotated[
        str, StringConstraints(min_length=1, max_length=100, pattern=LINE_PATTERN, strip_whitespace=True)
    ] = Field(
        description="its name, which `names` and `except_names` of `holidays` match",
        examples=["Company day"],
    )

    @model_validator(mode="before")
    @classmethod
    def _is_no_bare_date(cls, value: Any) -> Any:
        if isinstance(value, str):
            parse_calendar_day(value)
            raise MalformedValueError(f'a day has a title as well: {{date: {value}, title: "Company day"}}')
        return value


class CalendarKeys(BaseModel):
    """The keys that select a calendar, and change it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str | None = Field(
        None,
        title="country code",
        description="ISO 3166-1 code of a country; either this or `market`, or neither if `add` has the days",
        examples=["NL"],
    )
    subdivision: str | None = Field(
        None,
        title="subdivision code",
        description="code of a part of the country, such as `BY` of `DE`; `none` states that nationwide "
        "days are enough; only with `country`",
        examples=["BY"],
    )
    categories: tuple[str, ...] = Field(
        (),
        description="kinds of holidays, those that the country or market has: `public`, `bank`, `half_day`, "
        "`optional` and others; only `public` if left out",
        examples=[["public", "bank"]],
    )
    market: str | None = Field(
        None,
        title="market code",
        description="code of an exchange, such as `XNYS` or `NYSE`; either this or `country`",
        examples=["XNYS"],
    )
    add: tuple[AddedDay, ...] = Field(
        (),
        max_length=_MOST_ADDED,
        description="days off of your own, on a date or every year",
        examples=[[{"date": "2027-06-11", "title": "Company day"}]],
    )
    remove: tuple[CalendarDayText, ...] = Field(
        (),
        max_length=_MOST_ADDED,
        description="holidays of the country or market that are worked on: dates, or month and day for every "
        "year; a weekend remains a day off",
        examples=[["2027-03-26"]],
    )
    weekend: tuple[Weekdays, ...] | None = Field(
        None,
        description="weekdays off, instead of those of the country or market; Saturday and Sunday if there "
        "is neither",
        examples=[["fri", "sat"]],
    )

    @model_validator(mode="after")
    def _selects_a_calendar(self) -> Self:
        if self.country is not None and self.market is not None:
            raise MalformedValueError("name either a country or a market")
        faults = list(self._faults_of_codes())
        if self.add or self.remove or self.weekend:
            faults += self._faults_of_own_days()
        if faults:
            raise FaultyValuesError(faults)
        return self

    @cached_property
    def calendar(self) -> Calendar:
        """The selected calendar."""
        return Calendar(
            self.country,
            None if self.subdivision == NATIONWIDE else self.subdivision,
            tuple(sorted(self.categories)),
            self.market,
            quickly_hashed(OwnDay(each.date, each.title) for each in self.add),
            quickly_hashed(self.remove),
            None if self.weekend is None else tuple(sorted({day for days in self.weekend for day in days})),
        )

    def _faults_of_codes(self) -> Iterator[Fault]:
        unknown: list[Fault] = []
        if self.country is not None:
            unknown = list(codes.fault_of(("country",), self.country, "code of a country", codes.countries()))
        elif self.market is not None:
            unknown = list(codes.fault_of(("market",), self.market, "code of a market", codes.markets()))
        yield from unknown
        if self.subdivision is not None and self.country is None:
            other = ", not with a market" if self.market is not None else "; name one"
            yield Fault(("subdivision",), f"subdivision goes with a country{other}")
        if not unknown:
            yield from self._faults_of_parts()

    def _faults_of_parts(self) -> Iterator[Fault]:
        """Yield the faults of subdivision and categories, unless country or market are unknown."""
        code = self.country or self.market
        if code is None:
            if self.categories:
                yield Fault(("categories",), "categories go with a country or a market; name one")
            return
        if self.country is not None and self.subdivision not in (None, NATIONWIDE):
            what, parts = f"subdivision of {code}", codes.subdivisions(code)
            yield from codes.fault_of(("subdivision",), self.subdivision or "", what, parts)
        for index, category in enumerate(self.categories):
            what = f"category of {code}"
            yield from codes.fault_of(("categories", index), category, what, codes.categories(code))

    def _faults_of_own_days(self) -> Iterator[Fault]:
        if self.weekend and len({day for days in self.weekend for day in days}) == len(WEEKDAYS):
            yield Fault(("weekend",), "leaves no working day: all seven days are off")
            return
        yield from self._faults_of_removed_days()
        found = _endless_break(self.calendar) if len(self.add) > _FEW else None
        if found is not None:
            sentence = (
                f"takes away every working day for more than {_LONGEST_BREAK} days, from "
                f"{calendar_date(found)} on; write a long break as dates or yearly, in a window of its own"
            )
            yield Fault(("add",), sentence)

    def _faults_of_removed_days(self) -> Iterator[Fault]:
        if self.remove and self.country is None and self.market is None:
            yield Fault(("remove",), "there are no holidays to remove; name a country or a market")
        added = {each.date for each in self.add}
        for index, day in enumerate(self.remove):
            if day in added:
                yield Fault(("remove", index), "not to be removed, for add has it; keep one of them")


class Workdays(CalendarKeys):
    """The calendar by which workdays are counted."""

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if not self.model_fields_set:
            raise MalformedValueError(
                "names no calendar; write a country or a market, or leave workdays out for Monday to Friday"
            )
        return self


def _endless_break(calendar: Calendar) -> int | None:
    """Return the first day of a break of added days and weekends that is too long; None if there is none.

    Holidays of the package don't count: they would take a tenth of a second, and no calendar has so many.
    """
    days = _added_days({each.date for each in calendar.added})
    weekend = (5, 6) if calendar.weekend is None else calendar.weekend
    return _first_long_run(sorted(days), weekend)


def _added_days(dates: set[CalendarDay]) -> set[int]:
    """Return the dates, and the days of every year in one cycle of weekdays and around the dates."""
    yearly = [date for date in dates if date.year is None]
    once = set(chain.from_iterable(map(_day_of, dates.difference(yearly))))
    years = {calendar_date(day).year for day in once}
    years = years.union(_WEEKDAY_CYCLE, (year + 1 for year in years))
    return once.union(*(days_in(yearly, year) for year in years))


def _day_of(date: CalendarDay) -> Iterator[int]:
    return days_in((date,), date.year or FIRST_YEAR)


def _first_long_run(days: list[int], weekend: tuple[int, ...]) -> int | None:
    """Return the first day of a run of days and weekends between them that is too long."""
    first = days[0]
    for before, day in pairwise(days):
        between = range(before + 1, day)
        if len(between) >= len(WEEKDAYS) or not set(map(weekday, between)).issubset(weekend):
            first = day
        if day - first >= _LONGEST_BREAK:
            return first
    return None
