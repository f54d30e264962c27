"""``holidays: {country: NL, eve_from: "14:00", until: "08:00"}``: public holidays and their eves.

The days come from the `holidays` package, year by year: asked without years it would answer "no
holiday", silently, for a year that it does not know.
"""

import difflib
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, model_validator

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import format_time_of_day
from app.core.wallclock import Wall, calendar_date, local_day, weekday
from app.core.windows.window import Window
from app.core.written import TimeOfDay

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100
_REACH: Final = 40
"""Days around a span in which an eve or a day after may lie; no run of days off is as long."""

_ENGLISH: Final = "en_US"

_MOST_GUESSES: Final = 20
"""Of one list of names: looking for what comes near to one takes a millisecond."""

_LONG_WORD: Final = 5
_LONGEST_NAME: Final = 60
_LONGEST_LISTING: Final = 320
"""Characters of a text that is looked for, and of a list of what is known."""


class _Calendar(NamedTuple):
    """Which calendar of the package is meant; equal ones share their years."""

    country: str | None
    subdivision: str | None
    categories: tuple[str, ...]
    market: str | None


class _Year(NamedTuple):
    """A year of a calendar."""

    names: dict[int, tuple[str, ...]]
    """The names of each holiday, by the number of its day: in the calendar's language and in English."""
    weekend: frozenset[int]
    working_weekends: frozenset[int]
    """Days of a weekend that are made working days by law."""


class Holidays(Window):
    """The holidays of a country or market, whole local days, with what is off around them."""

    country: str | None = Field(None, description="ISO 3166 code of the country, such as NL")
    subdivision: str | None = Field(None, description="code of a part of the country, such as BY of DE")
    categories: tuple[str, ...] = Field(
        (), description="kinds of holidays, such as bank; public ones if left out"
    )
    market: str | None = Field(None, description="code of a market instead of a country, such as XNYS")
    names: tuple[str, ...] = Field((), description="only holidays of these names; * stands for anything")
    except_names: tuple[str, ...] = Field((), description="not the holidays of these names")
    eve_from: TimeOfDay | None = Field(
        None, description="local time on the last working day before at which it starts"
    )
    until: TimeOfDay | None = Field(
        None, description="local time on the first working day after at which it ends"
    )
    bridge_days: bool = Field(
        False, strict=True, description="count a single working day between days off as well"
    )

    @model_validator(mode="after")
    def _names_a_calendar(self) -> Self:
        if (self.country is None) == (self.market is None):
            raise MalformedValueError("name either a country or a market")
        # Names can only be looked for in a calendar that there is.
        faults = list(self._faults_of_calendar()) or list(self._faults_of_names())
        if faults:
            raise FaultyValuesError(faults)
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """One interval for each holiday, from its eve to the day after."""
        first, last = wall.day(span[0]) - _REACH, wall.day(span[1]) + _REACH
        return [
            (wall.start(start), wall.end(end))
            for start, end in _local_intervals(self, first // 128, last // 128 + 1)
        ]

    def words(self) -> str:
        """``on public holidays of NL, from 14:00 of the working day before, …``."""
        kind = " and ".join(self.categories) or ("public" if self.country else "market")
        where = f"{self.country or self.market}" + (f" {self.subdivision}" if self.subdivision else "")
        parts = [f"on {kind} holidays of {where}"]
        if self.names:
            parts.append(f"named {' or '.join(self.names)}")
        if self.except_names:
            parts.append(f"except {' and '.join(self.except_names)}")
        if self.bridge_days:
            parts.append("with bridge days")
        if self.eve_from is not None:
            parts.append(f"from {format_time_of_day(self.eve_from)} on the working day before")
        if self.until is not None:
            parts.append(f"until {format_time_of_day(self.until)} on the working day after")
        return ", ".join(parts)

    def remarks(self) -> list[str]:
        """Estimated dates, and years of which the calendar knows nothing."""
        remarks = []
        first, last = _known_years(self._calendar)
        if first > _FIRST_YEAR or last < _LAST_YEAR:
            remarks.append(f"the calendar knows the years {first} to {last} only; others have no holidays")
        remarks.extend(_warnings(self._calendar))
        if any("estimated" in name for names in _all_names(self._calendar) for name in names):
            remarks.append("some of its dates are estimated, for they follow the moon; check them each year")
        return remarks

    def _faults_of_calendar(self) -> Iterator[Fault]:
        if self.market is not None:
            yield from _fault(("market",), self.market, "code of a market", _markets())
            for key in ("subdivision", "categories"):
                if getattr(self, key):
                    yield Fault((key,), f"{key} goes with a country, not with a market")
            return
        country = self.country or ""
        unknown = list(_fault(("country",), country, "code of a country", _countries()))
        yield from unknown
        if unknown:
            return
        if self.subdivision is not None:
            what = f"subdivision of {country}"
            yield from _fault(("subdivision",), self.subdivision, what, _subdivisions(country))
        for index, category in enumerate(self.categories):
            what = f"category of {country}"
            yield from _fault(("categories", index), category, what, _categories(country))

    def _faults_of_names(self) -> Iterator[Fault]:
        for key, patterns in (("names", self.names), ("except_names", self.except_names)):
            for index, pattern in enumerate(patterns):
                if not any(_matches((pattern,), names) for names in _all_names(self._calendar)):
                    hint = _nearest_holiday(self._calendar, pattern) if index < _MOST_GUESSES else ""
                    whose = self.country or self.market
                    yield Fault((key, index), f"not the name of a holiday of {whose}{hint}")

    @property
    def _calendar(self) -> _Calendar:
        return _Calendar(self.country, self.subdivision, tuple(sorted(self.categories)), self.market)

    def _is_selected(self, day: int) -> bool:
        names = _year(self._calendar, calendar_date(day).year).names.get(day)
        if names is None or (self.names and not _matches(self.names, names)):
            return False
        return not _matches(self.except_names, names)

    def _is_off(self, day: int) -> bool:
        year = _year(self._calendar, calendar_date(day).year)
        if day in year.names:
            return True
        return weekday(day) in year.weekend and day not in year.working_weekends

    def _is_bridge(self, day: int) -> bool:
        """Whether it is a single working day caught between days off, next to a holiday that counts."""
        if not self.bridge_days or self._is_off(day):
            return False
        beside = (day - 1, day + 1)
        return all(map(self._is_off, beside)) and any(map(self._is_selected, beside))

    def _local_interval(self, day: int) -> Interval:
        """Start and end, in local time, of what a holiday or bridge day freezes."""
        start, end = day * DAY, (day + 1) * DAY
        if self.eve_from is not None:
            start = self._working_day(day, -1) * DAY + self.eve_from
        if self.until is not None:
            end = self._working_day(day, 1) * DAY + self.until
        return start, end

    def _working_day(self, day: int, step: int) -> int:
        day += step
        while self._is_off(day) or self._is_bridge(day):
            day += step
        return day


@lru_cache(maxsize=16384)
def _block(window: Holidays, number: int) -> tuple[Interval, ...]:
    """The local intervals of the holidays in 128 days; the same in every zone."""
    return tuple(
        window._local_interval(day)  # noqa: SLF001 - a method of this file's own class, cached by its value
        for day in range(number * 128, (number + 1) * 128)
        if window._is_selected(day) or window._is_bridge(day)  # noqa: SLF001
    )


def _local_intervals(window: Holidays, first: int, last: int) -> Iterator[Interval]:
    for number in range(first, last):
        yield from _block(window, number)


def _matches(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(_glob(pattern).fullmatch(name) for pattern in patterns for name in names)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=4096)
def _year(which: _Calendar, year: int) -> _Year:
    """A year of a calendar; a year that it does not know has weekends and no holidays."""
    own, english = _load(which, year), _load(which, year, english=True)
    return _Year(
        names={
            local_day(day): tuple(dict.fromkeys((name, english.get(day, name)))) for day, name in own.items()
        },
        weekend=frozenset(own.weekend),
        working_weekends=frozenset(map(local_day, own.weekend_workdays)),
    )


@lru_cache(maxsize=64)
def _all_names(which: _Calendar) -> frozenset[tuple[str, ...]]:
    """The names of every holiday from 2000 to 2100."""
    years = range(_FIRST_YEAR, _LAST_YEAR + 1)
    return frozenset(names for year in years for names in _year(which, year).names.values())


def _nearest_holiday(which: _Calendar, pattern: str) -> str:
    known = sorted({name for names in _all_names(which) for name in names})
    # Kerstmis is nearer to the kerstdag of "Eerste kerstdag" than to the whole.
    words = {word: name for name in known for word in name.lower().split() if len(word) >= _LONG_WORD}
    words |= {name.lower(): name for name in known}
    close = difflib.get_close_matches(pattern[:_LONGEST_NAME].strip("*").lower(), words, 1, 0.6)
    if close:
        return f'; did you mean "{words[close[0]]}"?'
    return f'; it has, for one, "{known[0]}"' if known else ""


def _load(which: _Calendar, year: int, *, english: bool = False) -> Any:
    with warnings.catch_warnings():
        # Of years whose dates are not known: told by `remarks`, where the author can read it.
        warnings.simplefilter("ignore")
        return _load_aloud(which, year, english=english)


def _load_aloud(which: _Calendar, year: int, *, english: bool = False) -> Any:
    import holidays

    # Left out, or not among those of the calendar, the language would be that of whoever started the process.
    entity = getattr(holidays, which.market or which.country or "")
    has_english = _ENGLISH in entity.supported_languages
    language = _ENGLISH if english and has_english else entity.default_language
    if which.market is not None:
        return holidays.financial_holidays(which.market, years=[year], expand=False, language=language)
    return holidays.country_holidays(
        which.country or "",
        subdiv=which.subdivision,
        categories=which.categories or None,
        years=[year],
        expand=False,
        language=language,
    )


@lru_cache(maxsize=64)
def _warnings(which: _Calendar) -> tuple[str, ...]:
    """What the package warns of at both ends of the years that are answered."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for year in (_FIRST_YEAR, _LAST_YEAR):
            _load_aloud(which, year)
    return tuple(dict.fromkeys(f"the calendar warns: {warning.message}" for warning in caught))


def _known_years(which: _Calendar) -> tuple[int, int]:
    calendar = _load(which, _LAST_YEAR)
    return calendar.start_year, calendar.end_year


# What the package knows


class _Known(NamedTuple):
    """Words that may stand behind a key."""

    codes: tuple[str, ...]
    names: Mapping[str, str]
    """What else a code is called, and the code."""
    takes_names: bool = False
    """Whether a name may stand in place of its code."""


@cache
def _markets() -> _Known:
    import holidays

    return _Known(tuple(holidays.list_supported_financial()), {})


@cache
def _countries() -> _Known:
    import holidays
    from holidays.registry import COUNTRIES

    names = {
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name): code
        for first, code, *others in COUNTRIES.values()
        for name in (first, *others)
    }
    return _Known(tuple(holidays.list_supported_countries(include_aliases=False)), names)


@cache
def _subdivisions(country: str) -> _Known:
    import holidays

    entity = getattr(holidays, country)
    return _Known(tuple(entity.subdivisions), entity.subdivisions_aliases, takes_names=True)


@cache
def _categories(country: str) -> _Known:
    import holidays

    return _Known(tuple(sorted(getattr(holidays, country).supported_categories)), {})


def _fault(path: tuple[str | int, ...], text: str, what: str, known: _Known) -> Iterator[Fault]:
    """The fault of a word that is not known, if it is not."""
    if text not in known.codes and not (known.takes_names and text in known.names):
        yield Fault(path, f"not a known {what}{_nearest_code(text, known) or _all_codes(known)}")


def _nearest_code(text: str, known: _Known) -> str:
    named = {name.lower(): code for name, code in known.names.items()}
    words = named | {code.lower(): code for code in known.codes}
    word = text[:_LONGEST_NAME].lower()
    # DE-BY is how ISO 3166-2 writes the BY of DE.
    near = [each for each in (word, word.rpartition("-")[2]) if each in words]
    near = near or difflib.get_close_matches(word, words, 1, 0.75)
    return f'; did you mean "{words[near[0]]}"?' if near else ""


def _all_codes(known: _Known) -> str:
    """What is known, each with its name, as far as it fits a line."""
    names: dict[str, str] = {}
    for name, code in known.names.items():
        names.setdefault(code, name)
    in_full = (f"{code} ({names[code]})" if code in names else code for code in known.codes)
    listings = (", ".join(in_full), ", ".join(known.codes))
    return next((f"; known: {listing}" for listing in listings if 0 < len(listing) <= _LONGEST_LISTING), "")
