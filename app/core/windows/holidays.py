"""``holidays: {country: NL, eve_from: "14:00", until: "08:00"}``: public holidays and their eves.

The days come from the `holidays` package, year by year: asked without years it would answer "no
holiday", silently, for a year that it does not know.
"""

import difflib
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, model_validator

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import TimeOfDay, format_time_of_day
from app.core.wallclock import Wall, calendar_date, local_day, weekday
from app.core.windows.window import Window

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100
_REACH: Final = 40
"""Days around a span in which an eve or a day after may lie; no run of days off is as long."""


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
        if self.market is not None and (self.subdivision or self.categories):
            raise MalformedValueError("subdivision and categories go with a country, not with a market")
        _check_calendar(self._calendar)
        for pattern in (*self.names, *self.except_names):
            if not any(_matches((pattern,), names) for names in _all_names(self._calendar)):
                raise MalformedValueError(_no_such_holiday(self._calendar, pattern))
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
    own, english = _load(which, year), _load(which, year, language="en_US")
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


def _no_such_holiday(which: _Calendar, pattern: str) -> str:
    known = sorted({name for names in _all_names(which) for name in names})
    close = difflib.get_close_matches(pattern, known, 1, 0.5)
    hint = f"; did you mean {close[0]}?" if close else f"; it has, for one, {known[0]}" if known else ""
    return f"the calendar has no holiday of this name{hint}"


def _load(which: _Calendar, year: int, language: str | None = None) -> Any:
    import holidays

    with warnings.catch_warnings():
        # Of years whose dates are not known: told by `remarks`, where the author can read it.
        warnings.simplefilter("ignore")
        return _load_quietly(holidays, which, year, language)


def _load_quietly(holidays: Any, which: _Calendar, year: int, language: str | None) -> Any:
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
    import holidays

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for year in (_FIRST_YEAR, _LAST_YEAR):
            _load_quietly(holidays, which, year, None)
    return tuple(dict.fromkeys(f"the calendar warns: {warning.message}" for warning in caught))


def _known_years(which: _Calendar) -> tuple[int, int]:
    calendar = _load(which, _LAST_YEAR)
    return calendar.start_year, calendar.end_year


@lru_cache(maxsize=1024)
def _check_calendar(which: _Calendar) -> None:
    """Refuse a calendar that the package does not have.

    Raises:
        MalformedValueError: naming what is unknown and what comes close to it.
    """
    import holidays

    if which.market is not None:
        _check_code("market", which.market, list(holidays.list_supported_financial()))
        return
    countries = holidays.list_supported_countries(include_aliases=False)
    country = which.country or ""
    _check_code("country", country, list(countries))
    if which.subdivision is not None:
        aliases = getattr(holidays, country).subdivisions_aliases
        _check_code(f"subdivision of {country}", which.subdivision, [*countries[country], *aliases])
    for category in which.categories:
        known = getattr(holidays, country).supported_categories
        _check_code(f"category of {country}", category, sorted(known))


def _check_code(what: str, code: str, known: list[str]) -> None:
    if code in known:
        return
    close = [each for each in known if each.lower() == code.lower()]
    close = close or difflib.get_close_matches(code, known, 1, 0.6)
    hint = f"; did you mean {close[0]}?" if close else ""
    if not hint and 0 < len(known) <= 24:  # noqa: PLR2004 - as many as fit a line
        hint = f"; known: {', '.join(known)}"
    raise MalformedValueError(f"there is no such {what}{hint}")
