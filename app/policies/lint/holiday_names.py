"""Remarks on names that mean fewer days than expected, and on windows without any day."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from app.core.holiday_calendar import FIRST_YEAR, LAST_YEAR, Calendar, Holiday, holidays_of
from app.core.interval import Interval
from app.core.wallclock import local_day
from app.core.windows.holidays import Holidays, matches
from app.policies.lint.holiday_gaps import gaps_to_categories, gaps_to_subdivisions, wider
from app.policies.lint.holiday_view import (
    TWO_YEARS,
    HolidayRemark,
    HolidayView,
    held_days,
    said,
    selects_any,
    written,
)
from app.yaml.problem import quoted

_NEVER: Final = "never opens again"


def name_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on names that mean fewer days than expected."""
    yield from _on_marked_names(view)
    yield from _on_longer_names(view)


def never_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on a window, or on each of its names, without any day in the next two years."""
    plain = {"eve_from": None, "until": None, "bridge_days": False}
    for index, pattern in enumerate(view.window.names):
        update = {**plain, "names": (pattern,), "except_names": ()}
        sentence = _how_it_never_comes(view.window.model_copy(update=update), view.today)
        if sentence is not None:
            yield ("names", index), sentence
    if not view.window.names:
        sentence = _how_it_never_comes(view.window.model_copy(update=plain), view.today)
        if sentence is not None:
            yield (), sentence


def _on_marked_names(view: HolidayView) -> Iterator[HolidayRemark]:
    for index, pattern in enumerate(view.window.names):
        bare = _bare_names(view.calendar).get(pattern.lower())
        if bare is not None and not matches(view.window.names, (bare,)):
            sentence = (
                f"names the day only while the calendar marks it so; {quoted(bare)} means it with and "
                f'without marks, "*{_mark(pattern, bare)}" the marked days alone'
            )
            yield ("names", index), sentence


def _on_longer_names(view: HolidayView) -> Iterator[HolidayRemark]:
    """Remark on festivals of several days: the names of later days may be longer than the first's."""
    for index, pattern in enumerate(view.window.names):
        found = next(_longer_named(view, pattern), None) if "*" not in pattern else None
        if found is not None:
            day, holiday = found
            sentence = (
                f"does not mean {written(day)} {quoted(holiday.english_name)}; write "
                f'"{pattern}*" for both, or except_names: ["{holiday.bare_name}"] if it is worked on'
            )
            yield ("names", index), sentence


def _longer_named(view: HolidayView, name: str) -> Iterator[tuple[int, Holiday]]:
    """Yield the days off, not frozen, whose names continue a name, and aren't excepted."""
    excepted = view.window.except_names
    for day, held in view.soon:
        for each in held:
            if _is_longer(each, name) and not matches(excepted, each.forms) and not view.is_frozen(day):
                yield day, each


@lru_cache(maxsize=4096)
def _how_it_never_comes(window: Holidays, today: int) -> str | None:
    """Return the sentence on a window without any day in the next two years; None if it has one."""
    calendar, span = window.calendar, (today, today + TWO_YEARS)
    if any(selects_any(window, held) for _, held in held_days(calendar, *span)):
        return None
    start, end = local_day(date(FIRST_YEAR, 1, 1)), local_day(date(LAST_YEAR, 12, 31))
    days = [day for day, held in held_days(calendar, start, end) if selects_any(window, held)]
    coming = bisect_left(days, today)
    last = f"; the last was {written(days[coming - 1])}" if coming else ""
    when = _NEVER
    if coming < len(days):
        when = f"opens on no day of the next two years; the next is {written(days[coming])}"
    return f"{when}{last}; {_elsewhere(window, span)}"


def _elsewhere(window: Holidays, span: Interval) -> str:
    """Suggest another category or region that has such a day soon."""
    calendar = window.calendar
    for gap in () if calendar.subdivision else gaps_to_subdivisions(calendar, *span):
        if selects_any(window, gap.holidays):
            return f"write subdivision: {gap.where[0]} for {said(gap, window)}"
    for gap in gaps_to_categories(calendar, *span, worked_on=True):
        if selects_any(window, gap.holidays):
            categories = ", ".join(wider(calendar, gap.where[0]).categories)
            return f"write categories: [{categories}] for {said(gap, window)}"
    return "take it out, or write dates"


@lru_cache(maxsize=64)
def _bare_names(calendar: Calendar) -> dict[str, str]:
    """Return the marked names, in lower case, each with its name without the mark."""
    found: dict[str, str] = {}
    for holiday in holidays_of(calendar):
        for form, bare in ((holiday.name, holiday.bare_own_name), (holiday.english_name, holiday.bare_name)):
            if form != bare:
                found[form.lower()] = bare
    return found


def _mark(name: str, bare: str) -> str:
    """Return the mark of a name, given its bare form."""
    return name.lower().replace(bare.lower(), "").strip()


def _is_longer(holiday: Holiday, name: str) -> bool:
    """Return whether a name of a holiday continues another: ``Eid al-Fitr Holiday``."""
    return any(form.lower().startswith(f"{name.lower()} ") for form in holiday.forms)
