"""Remarks on the calendar by which a monthly window counts its workdays."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from app.core import holiday_codes as codes
from app.core.holiday_calendar import last_year_of
from app.core.month_day import WORKDAY
from app.core.wallclock import calendar_date
from app.core.windows.holidays import Holidays
from app.core.windows.monthly import Monthly, month_days, month_of
from app.core.workdays import NATIONWIDE, Workdays
from app.policies.lint.cron import Remark
from app.policies.lint.holiday_own_days import odd_weekend_remarks, own_day_remarks
from app.policies.lint.holiday_view import YEAR, Beside, HolidayView, written

_MONTHS: Final = 24
"""Months to come whose days are compared."""


def workday_remarks(window: Monthly, today: int) -> Iterator[Remark]:
    """Yield remarks on the calendar of a window, from a day on; none if it has none."""
    if window.workdays is None:
        return
    holidays = Holidays.model_construct(**dict(window.workdays))
    view = HolidayView(holidays, Beside(()), today)
    for path, sentence in chain(own_day_remarks(view), odd_weekend_remarks(view)):
        yield ("workdays", *path), sentence
    if window.calendar.is_listed:
        yield from _on_end(window, today)
        yield from _on_regions(window, window.workdays, today)


def _on_end(window: Monthly, today: int) -> Iterator[Remark]:
    end = last_year_of(window.calendar)
    if end < calendar_date(today + YEAR).year:
        sentence = (
            f"the calendar ends with {end}, so later holidays count as workdays: update freezegate, or write "
            f"the days of {end + 1} under add"
        )
        yield ("workdays",), sentence


def _on_regions(window: Monthly, keys: Workdays, today: int) -> Iterator[Remark]:
    """Remark on a bound that lies on another day by the holidays of a subdivision."""
    if keys.country is None or keys.subdivision is not None:
        return
    months = [month for month in _months_after(today) if month % 12 + 1 in window.opens_in]
    for part in codes.subdivisions(keys.country).codes:
        calendar = window.calendar._replace(subdivision=part)
        for key, bound in (("from", window.from_), ("to", window.to)):
            here, there = (month_days(bound.day, each) for each in (window.calendar, calendar))
            days = ((here.of(month), there.of(month)) for month in months if bound.day.unit == WORKDAY)
            apart = next(((day, other) for day, other in days if day and other and day != other), None)
            if apart is not None:
                sentence = (
                    f"takes nationwide holidays only: {key} is {written(apart[0])}, and {written(apart[1])} "
                    f"in {part}; write a subdivision, or subdivision: {NATIONWIDE} if nationwide days are "
                    "meant"
                )
                yield ("workdays", "country"), sentence
                return


def _months_after(today: int) -> range:
    return range(month_of(today), month_of(today) + _MONTHS)
