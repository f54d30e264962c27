"""Calendars, year by year: the holidays of the `holidays` package, and days that an owner adds or removes.

Each holiday has every form of its name. Years of the package are always passed explicitly: without them, it
silently returns "no holiday" for years it does not know.
"""

import calendar as gregorian
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec
from typing import Any, Final, NamedTuple, TypeVar

from app.core.notation import CalendarDay
from app.core.wallclock import calendar_date, local_day, weekday

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100

_ENGLISH: Final = "en_US"

_ESTIMATED: Final = ("estimated_label", "observed_estimated_label")
_MARKS: Final = (*_ESTIMATED, "observed_label", "observed_label_before")
"""Attributes of the package with the text around a name: ``%s (observed)``."""
_MOVED: Final = "substituted_label"
"""Its label of a day off that a decree moves: ``Day off (substituted from %s)``, with a date, not a name."""


class OwnDay(NamedTuple):
    """A day off that the calendar's owner adds."""

    date: CalendarDay
    title: str


T = TypeVar("T")

_MANY: Final = 50
"""Items from which remembering a hash takes less time than computing it."""


class _HashedTuple(tuple[T, ...]):  # noqa: SLOT001 - tuples have no other place for it
    """A tuple that remembers its hash: each look-up of a year hashes its calendar, with up to 2,000 days."""

    def __hash__(self) -> int:
        """Return the hash, computed once."""
        known: int | None = self.__dict__.get("known")
        if known is None:
            known = self.__dict__["known"] = super().__hash__()
        return known


def quickly_hashed(items: Iterable[T]) -> tuple[T, ...]:
    """Return a tuple of some items; one that remembers its hash if they are many."""
    found = tuple(items)
    return found if len(found) < _MANY else _HashedTuple(found)


class Calendar(NamedTuple):
    """A calendar of the package, or none, and changes of its owner; equal ones share their years."""

    country: str | None = None
    subdivision: str | None = None
    categories: tuple[str, ...] = ()
    market: str | None = None
    added: tuple[OwnDay, ...] = ()
    removed: tuple[CalendarDay, ...] = ()
    weekend: tuple[int, ...] | None = None
    """Its weekdays off, with Monday as 0; those of the package if None, else Saturday and Sunday."""

    @property
    def is_listed(self) -> bool:
        """Whether it names a calendar of the package."""
        return self.country is not None or self.market is not None

    @property
    def as_listed(self) -> "Calendar":
        """The calendar of the package, without any change."""
        return Calendar(*self[:4])


class Holiday(NamedTuple):
    """One of the holidays of a day."""

    name: str
    """The package's name, in the calendar's own language, with its marks."""
    english_name: str
    """The same in English, if the calendar has it."""
    bare_own_name: str
    """The name in the calendar's own language without marks for estimated, observed and substituted days."""
    bare_name: str
    """The same in English."""
    forms: tuple[str, ...]
    """Every form of the name: in the calendar's own language and in English, with each mark and without."""
    is_estimated: bool
    """Whether the package marks its date as estimated."""
    is_moved: bool
    """Whether it replaces a working day that a decree moves elsewhere."""
    is_added: bool = False
    """Whether the calendar's owner adds it."""


class Year(NamedTuple):
    """A year of a calendar."""

    holidays: dict[int, tuple[Holiday, ...]]
    """The holidays of each day, by the number of the day."""
    weekend: frozenset[int]
    """The weekdays off at the end of the years that the calendar knows; see `is_off` for those of a day."""
    working_weekends: frozenset[int]
    """Days of a weekend that are made working days by law."""


_WITHOUT_HOLIDAYS: Final = Year({}, frozenset((5, 6)), frozenset())


@lru_cache(maxsize=8192)
def year_of(calendar: Calendar, year: int) -> Year:
    """Return a year of a calendar; a year that it does not know has weekends and no holidays."""
    listed = _year_of_package(calendar.as_listed, year) if calendar.is_listed else _WITHOUT_HOLIDAYS
    if calendar.added or calendar.removed:
        listed = listed._replace(holidays=_with_own_days(listed.holidays, calendar, year))
    if calendar.weekend is not None:
        listed = listed._replace(weekend=frozenset(calendar.weekend))
    return listed


def days_in(days: Iterable[CalendarDay], year: int) -> Iterator[int]:
    """Yield the numbers of those days that a year has; it has 02-29 only if it is a leap year."""
    for day in days:
        is_missing = (day.month, day.day) == (2, 29) and not gregorian.isleap(year)
        if day.year in (None, year) and not is_missing:
            yield local_day(date(year, day.month, day.day))


def _with_own_days(
    holidays: dict[int, tuple[Holiday, ...]], calendar: Calendar, year: int
) -> dict[int, tuple[Holiday, ...]]:
    """Return the holidays of a year without removed and with added days.

    Days of every year come first, dates after them: so a date can be an exception to what every year has.
    """
    found = dict(holidays)
    for is_date in (False, True):
        for day in days_in((each for each in calendar.removed if (each.year is not None) is is_date), year):
            found.pop(day, None)
        for own in calendar.added:
            if (own.date.year is not None) is is_date:
                for day in days_in((own.date,), year):
                    found[day] = (*found.get(day, ()), _own_holiday(own.title))
    return found


def _own_holiday(title: str) -> Holiday:
    return Holiday(title, title, title, title, (title,), is_estimated=False, is_moved=False, is_added=True)


@lru_cache(maxsize=8192)
def _year_of_package(calendar: Calendar, year: int) -> Year:
    own = _load(calendar, year)
    english = (
        own if _language(calendar, english=True) == own.language else _load(calendar, year, english=True)
    )
    reader = _NameReader(own, english)
    return Year(
        holidays={
            local_day(day): tuple(reader.read(own.get_list(day), english.get_list(day))) for day in own
        },
        weekend=frozenset(own.weekend),
        working_weekends=frozenset(map(local_day, own.weekend_workdays)),
    )


def is_off(calendar: Calendar, day: int) -> bool:
    """Return whether a day is off: a weekend that no law makes a working day, or a holiday."""
    year = year_of(calendar, calendar_date(day).year)
    if day in year.holidays:
        return True
    return _is_weekend(calendar, day) and day not in year.working_weekends


def _is_weekend(calendar: Calendar, day: int) -> bool:
    if calendar.weekend is not None or not calendar.is_listed:
        return weekday(day) in year_of(calendar, calendar_date(day).year).weekend
    return day in _weekends(calendar.as_listed, calendar_date(day).year)


@lru_cache(maxsize=8192)
def _weekends(calendar: Calendar, year: int) -> frozenset[int]:
    """Return the days of a year that are weekends.

    The package's `weekend` is that of today in every year; nine countries had another one since 2000, and
    some of them moved it within a year.
    """
    entity = _load(calendar, year)
    first, after = local_day(date(year, 1, 1)), local_day(date(year + 1, 1, 1))
    return frozenset(day for day in range(first, after) if entity.is_weekend(calendar_date(day)))


def holidays_of(calendar: Calendar) -> frozenset[Holiday]:
    """Return every holiday of the years 2000 to 2100, removed ones included."""
    own = (_own_holiday(each.title) for each in calendar.added)
    return _holidays_of_package(calendar.as_listed).union(own)


@lru_cache(maxsize=64)
def _holidays_of_package(calendar: Calendar) -> frozenset[Holiday]:
    return frozenset(
        holiday
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for holidays in year_of(calendar, year).holidays.values()
        for holiday in holidays
    )


@lru_cache(maxsize=64)
def names_of(calendar: Calendar) -> frozenset[str]:
    """Return every form of every name from 2000 to 2100."""
    return frozenset(form for holiday in holidays_of(calendar) for form in holiday.forms)


def last_year_of(calendar: Calendar) -> int:
    """Return the last year that the package knows of a calendar."""
    return _last_year_of_package(calendar.as_listed) if calendar.is_listed else LAST_YEAR


@lru_cache(maxsize=64)
def _last_year_of_package(calendar: Calendar) -> int:
    last: int = _load(calendar, LAST_YEAR).end_year
    return last


def warnings_of(calendar: Calendar, first: int, last: int) -> tuple[str, ...]:
    """Return the package's own warnings about a span of years."""
    return _warnings_of_package(calendar.as_listed, first, last) if calendar.is_listed else ()


@lru_cache(maxsize=256)
def _warnings_of_package(calendar: Calendar, first: int, last: int) -> tuple[str, ...]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for year in range(first, last + 1):
            _load_aloud(calendar, year, _language(calendar))
    return tuple(dict.fromkeys(str(warning.message) for warning in caught))


class _NameReader:
    """Reads the names of a year: splits marks off, and finds the English name of each holiday."""

    def __init__(self, own: Any, english: Any) -> None:
        """Take the marks from two loaded calendars; some have them only once a year is loaded."""
        self._translate = english.tr
        both = (own, english)
        self._marks = _labels(both, _MARKS)
        self._estimated = _labels(both, _ESTIMATED)
        self._moved = _labels(both, (_MOVED,))

    def read(self, own: list[str], english: list[str]) -> list[Holiday]:
        """Return the holidays of a day from its names in both languages, each list in its own order."""
        if len(own) == 1:
            return [self._holiday(own[0], english)]
        pairs = self._pairs(own, english)
        return [self._holiday(name, pairs[name]) for name in own]

    def _pairs(self, own: list[str], english: list[str]) -> dict[str, list[str]]:
        """Return the English names of each name; all that are left of one without a translation."""
        by_bare_name = {self._forms(name)[-1]: name for name in english}
        found = {name: by_bare_name.get(self._translate(self._forms(name)[-1])) for name in own}
        left = [name for name in english if name not in found.values()]
        # Unmatched names are paired with each other: freeze more, not less.
        return {name: left if match is None else [match] for name, match in found.items()}

    def _holiday(self, name: str, english: Sequence[str]) -> Holiday:
        names = (name, *english)
        forms = [form for each in names for form in self._forms(each)]
        return Holiday(
            name=name,
            english_name=names[-1],
            bare_own_name=self._forms(name)[-1],
            bare_name=self._forms(names[-1])[-1],
            forms=tuple(dict.fromkeys(forms)),
            is_estimated=any(_within(label, form) for form in forms for label in self._estimated),
            is_moved=any(_within(label, name) for label in self._moved),
        )

    def _forms(self, name: str) -> list[str]:
        """Return a name with its marks removed one by one; the last form has none."""
        forms = [name]
        while inner := next(filter(None, (_within(label, forms[-1]) for label in self._marks)), None):
            forms.append(inner)
        return forms


def _labels(entities: Iterable[Any], attributes: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the text before and after the name in each label, in the language of each entity."""
    texts = {
        entity.tr(label)
        for entity in entities
        for attribute in attributes
        if (label := getattr(entity, attribute, None))
    }
    parts = (text.split("%s") for text in sorted(texts, key=len, reverse=True))
    return tuple((each[0], each[1]) for each in parts if len(each) == 2 and any(each))  # noqa: PLR2004


def _within(label: tuple[str, str], name: str) -> str | None:
    """Return the part of a name that a label encloses; None if the name does not bear it."""
    before, after = label
    if len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after):
        return name[len(before) : len(name) - len(after)].strip() or None
    return None


@cache
def package() -> Any:
    """Return the `holidays` package; a country is imported when it is first used.

    The package imports each country from its own module, but that runs `holidays.countries`, which imports
    all 250 of them: 0.1 s and 7 MB. An empty package with the same path takes its place.
    """
    import holidays

    name = "holidays.countries"
    spec = find_spec(name)
    if spec is not None and name not in sys.modules:
        sys.modules[name] = module_from_spec(spec)
    return holidays


def _entity(calendar: Calendar) -> Any:
    return getattr(package(), calendar.market or calendar.country or "")


@lru_cache(maxsize=1024)
def _language(calendar: Calendar, *, english: bool = False) -> str:
    # Left out, or not among those of the calendar, the language would be that of the process.
    entity = _entity(calendar)
    wanted = english and _ENGLISH in entity.supported_languages
    return _ENGLISH if wanted else str(entity.default_language)


def _load(calendar: Calendar, year: int, *, english: bool = False) -> Any:
    with warnings.catch_warnings():
        # Warnings about years with unknown dates: lint reports them to the author.
        warnings.simplefilter("ignore")
        return _load_aloud(calendar, year, _language(calendar, english=english))


def _load_aloud(calendar: Calendar, year: int, language: str) -> Any:
    holidays = package()
    if calendar.market is not None:
        return holidays.financial_holidays(
            calendar.market,
            categories=calendar.categories or None,
            years=[year],
            expand=False,
            language=language,
        )
    return holidays.country_holidays(
        calendar.country or "",
        subdiv=calendar.subdivision,
        categories=calendar.categories or None,
        years=[year],
        expand=False,
        language=language,
    )
