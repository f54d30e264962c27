"""Remarks on days that are not known yet: the end of a calendar, decrees, and dates that follow the moon."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

from app.core.holiday_calendar import Calendar, Holiday, last_year_of, warnings_of, year_of
from app.core.wallclock import calendar_date, local_day
from app.policies.lint.holiday_gaps import Gap
from app.policies.lint.holiday_view import YEAR, HolidayRemark, HolidayView, more, said, selects_any, written

_QUARTER: Final = 92
_DECREED_YEARS: Final = 3
"""A calendar depends on decrees if it has decreed days in this many of the last four years."""
_EITHER_SIDE: Final = 2
"""Days by which an estimated date may turn out to be wrong."""
_MOST_ESTIMATES: Final = 9
_WRITE_OUT: Final = "update freezegate, or write the days of {} under add, or as dates in another window"


def forecast_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on days that are not known yet, and on estimates."""
    yield from _on_what_is_not_known_yet(view)
    yield from _on_estimates(view)


def _on_what_is_not_known_yet(view: HolidayView) -> Iterator[HolidayRemark]:
    end = last_year_of(view.calendar)
    if end < calendar_date(view.today + YEAR).year and not _is_written_out(view, end + 1):
        yield (), f"the calendar ends with {end}: {_WRITE_OUT.format(end + 1)}"
    for warning in warnings_of(view.calendar, view.year, view.year + 1):
        yield (), f"the calendar warns: {warning}"
    missing = _undecreed_year(view)
    if missing is not None and not _is_written_out(view, missing):
        sentence = (
            f"the government moves working days by decree, and that of {missing} is not in the calendar: "
            f"{_WRITE_OUT.format(missing)}"
        )
        yield (), sentence


def _undecreed_year(view: HolidayView) -> int | None:
    """Return the first year without days moved by decree, if it begins or began within three months."""
    years = range(view.year - _DECREED_YEARS - 1, view.year + 2)
    decreed = [year for year in years if selects_any(view.window, _moved(view.calendar, year))]
    if not decreed:
        return None
    missing = decreed[-1] + 1
    recent = [year for year in decreed if year >= missing - _DECREED_YEARS - 1]
    begins = local_day(date(missing, 1, 1))
    if len(recent) < _DECREED_YEARS or abs(begins - view.today) > _QUARTER:
        return None
    return missing


def _is_written_out(view: HolidayView, year: int) -> bool:
    first, last = local_day(date(year, 1, 1)), local_day(date(year + 1, 1, 1))
    return view.names_dates_in(first, last)


def _on_estimates(view: HolidayView) -> Iterator[HolidayRemark]:
    soon = (each for each in view.soon if each[0] < view.today + YEAR)
    days = [(day, held) for day, held in soon if _is_estimated(view, day, held)]
    if days:
        others = [written(day) for day, _ in days[1:]]
        shown = ", ".join([said(Gap(*days[0], ()), view.window), *others[:_MOST_ESTIMATES]])
        sentence = (
            f"estimated, for it follows the moon: {shown}{more(days[_MOST_ESTIMATES:])}; "
            "write dates around it as another window, or update freezegate once the date is official"
        )
        yield (), sentence


def _is_estimated(view: HolidayView, day: int, held: Sequence[Holiday]) -> bool:
    """Return whether a selected holiday of a day is estimated, and no written dates are around it."""
    estimated = [each for each in held if each.is_estimated]
    around = day - _EITHER_SIDE, day + _EITHER_SIDE + 1
    return selects_any(view.window, estimated) and not view.names_dates_in(*around)


@lru_cache(maxsize=256)
def _moved(calendar: Calendar, year: int) -> tuple[Holiday, ...]:
    held = (each for day in year_of(calendar, year).holidays.values() for each in day)
    return tuple(each for each in held if each.is_moved)
