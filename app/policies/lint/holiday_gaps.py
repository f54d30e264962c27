"""Find the days off of other regions and categories that a holiday calendar leaves out."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from app.core import holiday_codes as codes
from app.core.holiday_calendar import LAST_YEAR, Calendar, Holiday, is_off, year_of
from app.core.wallclock import calendar_date

PUBLIC: Final = "public"

_NOT_OFF: Final = frozenset({"workday", "unofficial", "school"})
"""Categories of observances that are working days, and of school holidays."""


class Gap(NamedTuple):
    """A working day of a calendar that is a day off elsewhere."""

    day: int
    """The number of the day."""
    holidays: tuple[Holiday, ...]
    where: tuple[str, ...]
    """The subdivisions or categories that have it."""


@lru_cache(maxsize=256)
def gaps_to_subdivisions(calendar: Calendar, first: int, last: int) -> tuple[Gap, ...]:
    """Return the days from `first` up to `last` that are off in some subdivisions, not nationwide."""
    parts = codes.subdivisions(calendar.country).codes if calendar.country else ()
    return _gaps(calendar, [(part, calendar._replace(subdivision=part)) for part in parts], first, last)


@lru_cache(maxsize=256)
def gaps_to_country(calendar: Calendar, first: int, last: int) -> tuple[Gap, ...]:
    """Return the days that are off nationwide, but not in this subdivision."""
    return _gaps(calendar, [("", calendar._replace(subdivision=None))], first, last)


@lru_cache(maxsize=256)
def gaps_to_categories(
    calendar: Calendar, first: int, last: int, *, worked_on: bool = False
) -> tuple[Gap, ...]:
    """Return the days of other categories that this calendar lacks; those `worked_on` only if asked."""
    known = codes.categories(calendar.market or calendar.country or "").codes if calendar.is_listed else ()
    others = [each for each in known if worked_on or each not in _NOT_OFF]
    return _gaps(calendar, [(each, wider(calendar, each)) for each in others], first, last)


def wider(calendar: Calendar, category: str) -> Calendar:
    """Return the calendar with another category added; public ones are included if it names none."""
    return calendar._replace(categories=tuple(sorted({*(calendar.categories or (PUBLIC,)), category})))


def days_of(calendar: Calendar, first: int, last: int) -> Iterator[tuple[int, tuple[Holiday, ...]]]:
    """Yield the holidays of each day from `first` up to `last`, in order."""
    for year in range(calendar_date(first).year, min(calendar_date(last).year, LAST_YEAR) + 1):
        for day, holidays in sorted(year_of(calendar, year).holidays.items()):
            if first <= day < last:
                yield day, holidays


def _gaps(
    calendar: Calendar, others: Iterable[tuple[str, Calendar]], first: int, last: int
) -> tuple[Gap, ...]:
    found: dict[int, Gap] = {}
    for name, other in others:
        for day, holidays in days_of(other, first, last):
            if not is_off(calendar, day):
                before = found.get(day, Gap(day, (), ()))
                both = tuple(dict.fromkeys((*before.holidays, *holidays)))
                found[day] = Gap(day, both, (*before.where, name))
    return tuple(found[day] for day in sorted(found))
