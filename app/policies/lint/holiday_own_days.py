"""Remarks on days of one's own: added, removed, and a weekend."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from app.core.holiday_calendar import LAST_YEAR, Calendar, Holiday, days_in, is_off, year_of
from app.core.notation import WEEKDAYS, CalendarDay
from app.core.wallclock import calendar_date, weekday
from app.policies.lint.holiday_view import HolidayRemark, HolidayView, written
from app.yaml.problem import quoted

USUAL_WEEKENDS: Final = ((5, 6), (4, 5))
_WEEKEND_SOMEWHERE: Final = frozenset((3, 4, 5, 6))
_PLURALS: Final = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

_YEARS_AHEAD: Final = 10
"""Years in which a day of every year is looked at."""
_NEAR: Final = 3
"""Days around a removed day that are searched for the holiday that was probably meant."""


def own_day_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on added and removed days that change nothing, or less than expected."""
    yield from _on_leap_days(view)
    yield from _on_added_holidays(view)
    yield from _on_removed_days(view)
    yield from _on_old_days(view)


def weekend_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on weekends that freeze less than expected."""
    window = view.window
    has_neighbours = window.eve_from is not None or window.until is not None or window.bridge_days
    if has_neighbours:
        yield from odd_weekend_remarks(view)
    elif window.weekend is not None:
        sentence = (
            "freezes no day, and changes nothing without eve_from, until or bridge_days; to freeze weekends, "
            "add a daily or weekly window"
        )
        yield ("weekend",), sentence
    yield from _on_days_that_move(view)


def odd_weekend_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Remark on a calendar whose weekend isn't two days in a row, unless the author says which days it is."""
    weekend = sorted(year_of(view.calendar, view.year).weekend)
    if view.window.weekend is not None or tuple(weekend) in USUAL_WEEKENDS:
        return
    days = [WEEKDAYS[day] for day in weekend]
    others = " or ".join(_PLURALS[day] for day in _beside(weekend))
    sentence = (
        f"the weekend of {view.code} is {' and '.join(days)} in the calendar, so {others} are working days; "
        f"write weekend: [{', '.join(days)}] if so, or the days that are off"
    )
    yield ("country",) if view.window.country else ("market",), sentence


def _beside(weekend: list[int]) -> list[int]:
    """Return the working days beside those of a weekend, of the days that are one somewhere."""
    near = {(day + step) % len(WEEKDAYS) for day in weekend for step in (-1, 1)}
    return sorted(near & _WEEKEND_SOMEWHERE - set(weekend))


def _on_leap_days(view: HolidayView) -> Iterator[HolidayRemark]:
    for index, own in enumerate(view.calendar.added):
        if own.date == CalendarDay(None, 2, 29):
            sentence = "is off in leap years only; write 02-28 or 03-01 as well if it is off in others"
            yield ("add", index, "date"), sentence


def _on_added_holidays(view: HolidayView) -> Iterator[HolidayRemark]:
    """Remark on added days that are holidays already, in each of the years to come that have them."""
    others = view.calendar._replace(added=())
    for index, own in enumerate(view.calendar.added):
        days = list(_days_of(view, own.date))
        held = [_holidays_on(others, day) for day in days]
        if days and all(held):
            sentence = (
                f"is a holiday already: {written(days[0])} {quoted(held[0][0].english_name)}; take it out, "
                "unless the title is needed for names"
            )
            yield ("add", index, "date"), sentence


def _on_removed_days(view: HolidayView) -> Iterator[HolidayRemark]:
    others = view.calendar._replace(removed=())
    for index, day in enumerate(view.window.remove):
        days = _days_of(view, day)
        names = {each: [holiday.bare_name for holiday in _holidays_on(others, each)] for each in days}
        sentence = _how_it_removes_nothing(others, names) or _how_it_removes_several(names)
        if sentence is not None:
            yield ("remove", index), sentence


def _how_it_removes_nothing(calendar: Calendar, names: dict[int, list[str]]) -> str | None:
    """Return the sentence on a removed day that is no holiday in any of its years; None if it is one."""
    if any(names.values()):
        return None
    near = _nearest_holiday(calendar, names)
    if near is not None:
        return f"is no holiday; {written(near)} {quoted(_holidays_on(calendar, near)[0].english_name)} is one"
    if len(names) == 1 and is_off(calendar, next(iter(names))):
        return "is no holiday but a weekend, which remains a day off; take it out"
    return "is no holiday, so there is nothing to remove; take it out"


def _nearest_holiday(calendar: Calendar, days: Iterable[int]) -> int | None:
    """Return the first holiday around some days; None if there is none."""
    around = (day + step for day in days for step in range(-_NEAR, _NEAR + 1))
    return next((day for day in around if _holidays_on(calendar, day)), None)


def _how_it_removes_several(names: dict[int, list[str]]) -> str | None:
    """Return the sentence on a day on which other holidays fall in other years; None if there are none."""
    held_on = [(day, held) for day, held in names.items() if held]
    day, held = held_on[0]
    other = next(((later, other) for later, other in held_on if not set(held) & set(other)), None)
    if other is None:
        return None
    return (
        f"removes {quoted(held[0])} on {written(day)}, and {quoted(other[1][0])} on {written(other[0])}; "
        f"write the dates with their years, or except_names: [{quoted(held[0])}]"
    )


def _on_old_days(view: HolidayView) -> Iterator[HolidayRemark]:
    """Remark on dates that all are over: those of the next year are probably missing."""
    dates = [own.date for own in view.calendar.added if own.date.year is not None]
    days = sorted(chain.from_iterable(days_in([day], day.year or 0) for day in dates))
    if days and days[-1] < view.today:
        sentence = f"has no date to come: the last was {written(days[-1])}; add those of the next year"
        yield ("add",), sentence


def _on_days_that_move(view: HolidayView) -> Iterator[HolidayRemark]:
    """Remark on days of every year that fall on a weekend, where the calendar moves other holidays then."""
    if not view.calendar.is_listed or not any(map(_has_observed, view.soon)):
        return
    for index, own in enumerate(view.calendar.added):
        for day in _weekend_days_of(view, own.date):
            monday = _next_weekday(view.calendar, day)
            if not view.is_frozen(monday):
                sentence = (
                    f"falls on {written(day)}; other holidays of the calendar move to a working day then, "
                    f"this one does not; add {calendar_date(monday)} if it is off"
                )
                yield ("add", index, "date"), sentence
                break


def _has_observed(held: tuple[int, tuple[Holiday, ...]]) -> bool:
    return any(_is_observed(each) for each in held[1])


def _weekend_days_of(view: HolidayView, day: CalendarDay) -> list[int]:
    """Return when a day of every year falls on a weekend in the next two years; none for a date."""
    soon = _days_of(view, day) if day.year is None else ()
    return [each for each in soon if each < view.span[1] and _is_on_weekend(view.calendar, each)]


def _is_observed(holiday: Holiday) -> bool:
    return not holiday.is_estimated and holiday.english_name != holiday.bare_name


def _is_on_weekend(calendar: Calendar, day: int) -> bool:
    return weekday(day) in year_of(calendar, calendar_date(day).year).weekend


def _next_weekday(calendar: Calendar, day: int) -> int:
    while _is_on_weekend(calendar, day):
        day += 1
    return day


def _days_of(view: HolidayView, day: CalendarDay) -> Iterator[int]:
    """Yield a date, or the next ten of a day of every year."""
    if day.year is not None:
        yield from days_in([day], day.year)
        return
    for year in range(view.year, min(view.year + _YEARS_AHEAD, LAST_YEAR) + 1):
        yield from (each for each in days_in([day], year) if each >= view.today)


def _holidays_on(calendar: Calendar, day: int) -> tuple[Holiday, ...]:
    return year_of(calendar, calendar_date(day).year).holidays.get(day, ())
