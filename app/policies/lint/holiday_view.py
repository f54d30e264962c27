"""A holiday window under lint: its calendar, the windows beside it, and the days to come."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import cached_property, lru_cache
from typing import Final, NamedTuple, Self

from app.core.holiday_calendar import Calendar, Holiday, days_in
from app.core.instant import DAY, LOOK_AHEAD
from app.core.interval import Interval
from app.core.wallclock import Wall, calendar_date, zone
from app.core.window import Window
from app.core.windows import WindowEntry
from app.core.windows.dates import Dates
from app.core.windows.holidays import Holidays
from app.core.windows.yearly import Yearly
from app.policies.lint.holiday_gaps import Gap, days_of
from app.yaml.problem import Path, quoted

YEAR: Final = 366
TWO_YEARS: Final = LOOK_AHEAD // DAY

HolidayRemark = tuple[Path, str]
"""The path within the window, and the sentence."""

HeldDays = tuple[tuple[int, tuple[Holiday, ...]], ...]
"""Days with their holidays, in order."""


class Beside(NamedTuple):
    """The other windows of the same list."""

    windows: tuple[Window, ...]

    @classmethod
    def of(cls, window: Window, entries: Iterable[WindowEntry]) -> Self:
        """Return the windows of a list without this one."""
        return cls(tuple(entry.window for entry in entries if entry.window is not window))

    def freezes(self, day: int) -> bool:
        """Return whether any of them freezes a whole day."""
        start, end = day * DAY, (day + 1) * DAY
        return any(low <= start and end <= high for low, high in self._near(start, end, _LASTING))

    def names_dates_in(self, first: int, last: int) -> bool:
        """Return whether any written dates overlap the days from `first` up to `last`."""
        start, end = first * DAY, last * DAY
        return any(low < end and start < high for low, high in self._near(start, end, (Dates,)))

    def tells_regions_of(self, country: str) -> bool:
        """Return whether another window names a subdivision of a country."""
        return any(
            isinstance(each, Holidays) and each.country == country and each.calendar.subdivision is not None
            for each in self.windows
        )

    def _near(self, start: int, end: int, kinds: tuple[type[Window], ...]) -> Iterator[Interval]:
        for each in self.windows:
            if isinstance(each, kinds):
                yield from each.intervals((start, end), _UTC)


_LASTING: Final = (Dates, Yearly, Holidays)
_UTC: Final = Wall.of(zone("UTC"), wide=True)


class HolidayView:
    """A window, seen from a day on."""

    def __init__(self, window: Holidays, beside: Beside, today: int) -> None:
        """Look at a window, with the others of its list, from a day on."""
        self.window = window
        self.beside = beside
        self.today = today
        self.year = calendar_date(today).year
        self.calendar: Calendar = window.calendar
        self.code = window.market or window.country or ""

    @cached_property
    def span(self) -> Interval:
        """The days of the next two years."""
        return self.today, self.today + TWO_YEARS

    @cached_property
    def soon(self) -> HeldDays:
        """The holidays of the next two years, selected or not."""
        return held_days(self.calendar, *self.span)

    def is_frozen(self, day: int) -> bool:
        """Return whether this window or another one freezes a day."""
        return self.window.freezes(day) or self.beside.freezes(day)

    def names_dates_in(self, first: int, last: int) -> bool:
        """Return whether `add` or another window has dates from the day `first` up to `last`."""
        dates = [own.date for own in self.calendar.added if own.date.year is not None]
        years = range(calendar_date(first).year, calendar_date(last).year + 1)
        added = (day for year in years for day in days_in(dates, year))
        return any(first <= day < last for day in added) or self.beside.names_dates_in(first, last)

    def missing(self, gaps: tuple[Gap, ...]) -> Sequence[Gap]:
        """Return the gaps that the window selects by name, and that no window freezes."""
        return [gap for gap in gaps if selects_any(self.window, gap.holidays) and not self._is_covered(gap)]

    def _is_covered(self, gap: Gap) -> bool:
        """Return whether the window's bridge days or another window freeze a day."""
        return (self.window.bridge_days and self.window.freezes(gap.day)) or self.beside.freezes(gap.day)


@lru_cache(maxsize=256)
def held_days(calendar: Calendar, first: int, last: int) -> HeldDays:
    """Return the holidays from a day up to another one."""
    return tuple(days_of(calendar, first, last))


def selects_any(window: Holidays, holidays: Iterable[Holiday]) -> bool:
    """Return whether a window selects any of some holidays by name."""
    return any(map(window.selects, holidays))


def written(day: int) -> str:
    """Format a day: ``Mon 2026-12-28``."""
    return f"{calendar_date(day):%a %Y-%m-%d}"


def said(gap: Gap, window: Holidays) -> str:
    """Format a day with its name: ``Mon 2026-12-28 "Boxing Day (observed)"``."""
    name = next((each.english_name for each in gap.holidays if window.selects(each)), "")
    return f"{written(gap.day)} {quoted(name)}"


def more(days: Sized) -> str:
    """Format the number of further days: ``, and 3 more``."""
    return f", and {len(days) - 1} more" if len(days) > 1 else ""
