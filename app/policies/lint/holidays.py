"""Remarks on holiday windows: days that the author probably expects to be frozen, but that are not.

A day counts as expected if the package lists it as a day off in another region or category of the same
calendar. A remark disappears once the policy is explicit: by `subdivision`, `categories` or `except_names`,
or by another window that freezes the day.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Sized
from datetime import date
from functools import cached_property, lru_cache
from typing import Final, NamedTuple, Self

from app.core import holiday_codes as codes
from app.core.holiday_calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    Calendar,
    Holiday,
    holidays_of,
    is_off,
    last_year_of,
    warnings_of,
    year_of,
)
from app.core.instant import DAY, LOOK_AHEAD
from app.core.interval import Interval
from app.core.policy import Policy
from app.core.wallclock import Wall, calendar_date, local_day, zone
from app.core.window import Window
from app.core.windows import WindowEntry
from app.core.windows.dates import Dates
from app.core.windows.holidays import Holidays, matches
from app.core.windows.yearly import Yearly
from app.core.workdays import NATIONWIDE
from app.policies.lint.holiday_gaps import (
    PUBLIC,
    Gap,
    days_of,
    gaps_to_categories,
    gaps_to_country,
    gaps_to_subdivisions,
    wider,
)
from app.policies.lint.placed_window import placed_windows
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, quoted

_TWO_YEARS: Final = LOOK_AHEAD // DAY
_YEAR: Final = 366
_QUARTER: Final = 92
_DECREED_YEARS: Final = 3
"""A calendar depends on decrees if it has decreed days in this many of the last four years."""
_EITHER_SIDE: Final = 2
"""Days by which an estimated date may turn out to be wrong."""
_MOST_SHOWN: Final = 3
_MOST_ESTIMATES: Final = 9

_WORKED_ON: Final = {
    # Public in the package, but a working day at most companies; no category tells them apart.
    # Sources in docs/how-to/calendars/holidays.md.
    "NL": ("Good Friday",),
}

_NEVER: Final = "never opens again"
_WRITE_OUT: Final = "update freezegate, or write the days of {} as dates in another window"

_Remark = tuple[Path, str]
"""The path within the window, and the sentence."""


def holiday_problems(document: Document, path: Path, policy: Policy, now: int) -> Iterator[Problem]:
    """Yield a warning for each remark on the holiday windows of a policy.

    Args:
        document: the file.
        path: where the policy stands in it.
        policy: the policy.
        now: the instant from which "the next two years" are seen.
    """
    today = now // DAY
    if not FIRST_YEAR <= calendar_date(today).year < LAST_YEAR:
        return
    for placed in placed_windows(policy):
        window = placed.entry.window
        if isinstance(window, Holidays):
            beside = _Beside.of(window, placed.beside)
            for inner, sentence in _Lint(window, beside, today).remarks(freezes=placed.freezes):
                yield document.problem((*path, *placed.path, *inner), sentence, Severity.WARNING)


class _Beside(NamedTuple):
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


class _Lint:
    """The remarks on one window."""

    def __init__(self, window: Holidays, beside: _Beside, today: int) -> None:
        self._window = window
        self._calendar = window.calendar
        self._code = window.market or window.country or ""
        self._beside = beside
        self._today = today
        self._year = calendar_date(today).year

    def remarks(self, *, freezes: bool) -> Iterator[_Remark]:
        """Yield all remarks; `freezes` if an open window closes deploys, so that a missing day opens them."""
        never = list(self._on_what_never_comes())
        yield from never
        if not freezes or (never and not self._window.names):
            return
        if not self._calendar.is_listed:
            return
        yield from self._on_marked_names()
        yield from self._on_longer_names()
        yield from self._on_regions()
        yield from self._on_days_taken_away()
        yield from self._on_categories()
        yield from self._on_days_worked_on()
        yield from self._on_working_days_around()
        yield from self._on_what_is_not_known_yet()
        yield from self._on_estimates()

    # Names and windows without any day

    def _on_what_never_comes(self) -> Iterator[_Remark]:
        plain = {"eve_from": None, "until": None, "bridge_days": False}
        for index, pattern in enumerate(self._window.names):
            update = {**plain, "names": (pattern,), "except_names": ()}
            sentence = _how_it_never_comes(self._window.model_copy(update=update), self._today)
            if sentence is not None:
                yield ("names", index), sentence
        if not self._window.names:
            sentence = _how_it_never_comes(self._window.model_copy(update=plain), self._today)
            if sentence is not None:
                yield (), sentence

    def _on_marked_names(self) -> Iterator[_Remark]:
        for index, pattern in enumerate(self._window.names):
            bare = _bare_names(self._calendar).get(pattern.lower())
            if bare is not None and not matches(self._window.names, (bare,)):
                sentence = (
                    f"names the day only while the calendar marks it so; {quoted(bare)} means it with and "
                    f'without marks, "*{_mark(pattern, bare)}" the marked days alone'
                )
                yield ("names", index), sentence

    def _on_longer_names(self) -> Iterator[_Remark]:
        """Remark on festivals of several days: the names of later days may be longer than the first's."""
        for index, pattern in enumerate(self._window.names):
            found = next(self._longer_named(pattern), None) if "*" not in pattern else None
            if found is not None:
                day, holiday = found
                sentence = (
                    f"does not mean {_written(day)} {quoted(holiday.english_name)}; write "
                    f'"{pattern}*" for both, or except_names: ["{holiday.bare_name}"] if it is worked on'
                )
                yield ("names", index), sentence

    def _longer_named(self, name: str) -> Iterator[tuple[int, Holiday]]:
        """Yield the days off, not frozen, whose names continue a name, and aren't excepted."""
        excepted = self._window.except_names
        for day, held in self._soon:
            for each in held:
                if _is_longer(each, name) and not matches(excepted, each.forms) and not self._is_frozen(day):
                    yield day, each

    def _is_frozen(self, day: int) -> bool:
        return self._window.freezes(day) or self._beside.freezes(day)

    # Days that other regions and categories have

    def _on_regions(self) -> Iterator[_Remark]:
        country = self._window.country
        if country is None or self._window.subdivision is not None or self._beside.tells_regions_of(country):
            return
        gaps = self._missing(gaps_to_subdivisions(self._calendar, *self._span))
        if gaps:
            parts, first = len(codes.subdivisions(country).codes), gaps[0]
            where = ", ".join(first.where[:_MOST_SHOWN]) + (", …" if len(first.where) > _MOST_SHOWN else "")
            widest = max(gaps, key=lambda gap: len(gap.where))
            wider_one = f", {_said(widest, self._window)} in {len(widest.where)}"
            sentence = (
                f"freezes nationwide days only: {_said(first, self._window)} is off in {len(first.where)} of "
                f"{parts} subdivisions of {country} ({where})"
                f"{wider_one if len(widest.where) > len(first.where) else ''}{_more(gaps)}; write a "
                f"subdivision, or subdivision: {NATIONWIDE} if nationwide days are meant"
            )
            yield ("country",), sentence

    def _on_days_taken_away(self) -> Iterator[_Remark]:
        if self._calendar.subdivision is None:
            return
        gaps = self._missing(gaps_to_country(self._calendar, *self._span))
        if gaps:
            sentence = (
                f"freezes less than the whole of {self._code} does: not {_said(gaps[0], self._window)}"
                f"{_more(gaps)}; add a window with {{country: {self._code}, subdivision: {NATIONWIDE}}}, "
                "or name the days under except_names if they are worked on"
            )
            yield ("subdivision",), sentence

    def _on_categories(self) -> Iterator[_Remark]:
        if self._window.categories:
            return
        gaps = self._missing(gaps_to_categories(self._calendar, *self._span))
        firsts: dict[str, Gap] = {}
        for gap in gaps:
            for category in gap.where:
                firsts.setdefault(category, gap)
        if firsts:
            shown = [f"{each} adds {_said(gap, self._window)}" for each, gap in firsts.items()][:_MOST_SHOWN]
            more = f", and {len(firsts) - len(shown)} categories more" if len(firsts) > len(shown) else ""
            every = ", ".join((PUBLIC, *firsts)) if len(firsts) <= _MOST_SHOWN else f"{PUBLIC}, …"
            sentence = (
                f"freezes public holidays only: {', '.join(shown)}{more}; "
                f"write categories: [{every}], or [{PUBLIC}] if those days are worked on"
            )
            yield (), sentence

    def _on_days_worked_on(self) -> Iterator[_Remark]:
        unexpected = () if self._window.categories else _WORKED_ON.get(self._code, ())
        selected = ((day, each) for day, held in self._soon for each in held if self._window.selects(each))
        for day, holiday in selected if unexpected else ():
            name = holiday.english_name
            if name in unexpected:
                sentence = (
                    f"freezes {_written(day)} {quoted(name)}, on which most companies there work; "
                    f"write except_names: [{name}], or categories: [{PUBLIC}] if it is meant"
                )
                yield (), sentence
                return

    def _on_working_days_around(self) -> Iterator[_Remark]:
        window = self._window
        if not window.categories or PUBLIC in window.categories:
            return
        for key, time, step in (("eve_from", window.eve_from, -1), ("until", window.until, 1)):
            for day, held in self._soon if time is not None else ():
                around = window.working_day(day, step)
                if _any(window, held) and is_off(wider(self._calendar, PUBLIC), around):
                    sentence = (
                        f"takes {_written(around)} for a working day, a public holiday: only the days of "
                        f"categories are days off; add {PUBLIC}, and say with names which days are meant"
                    )
                    yield (key,), sentence
                    break

    def _missing(self, gaps: tuple[Gap, ...]) -> Sequence[Gap]:
        """Return the gaps that the window selects by name, and that no window freezes."""
        return [gap for gap in gaps if _any(self._window, gap.holidays) and not self._is_covered(gap.day)]

    def _is_covered(self, day: int) -> bool:
        """Return whether the window's bridge days or another window freeze a day."""
        return (self._window.bridge_days and self._window.freezes(day)) or self._beside.freezes(day)

    # Days that are not known yet

    def _on_what_is_not_known_yet(self) -> Iterator[_Remark]:
        end = last_year_of(self._calendar)
        if end < calendar_date(self._today + _YEAR).year and not self._is_written_out(end + 1):
            yield (), f"the calendar ends with {end}: {_WRITE_OUT.format(end + 1)}"
        for warning in warnings_of(self._calendar, self._year, self._year + 1):
            yield (), f"the calendar warns: {warning}"
        missing = self._undecreed_year()
        if missing is not None and not self._is_written_out(missing):
            sentence = (
                f"the government moves working days by decree, and that of {missing} is not in the calendar: "
                f"{_WRITE_OUT.format(missing)}"
            )
            yield (), sentence

    def _undecreed_year(self) -> int | None:
        """Return the first year without days moved by decree, if it begins or began within three months."""
        years = range(self._year - _DECREED_YEARS - 1, self._year + 2)
        decreed = [year for year in years if _any(self._window, _moved(self._calendar, year))]
        if not decreed:
            return None
        missing = decreed[-1] + 1
        recent = [year for year in decreed if year >= missing - _DECREED_YEARS - 1]
        begins = local_day(date(missing, 1, 1))
        if len(recent) < _DECREED_YEARS or abs(begins - self._today) > _QUARTER:
            return None
        return missing

    def _is_written_out(self, year: int) -> bool:
        first, last = local_day(date(year, 1, 1)), local_day(date(year + 1, 1, 1))
        return self._beside.names_dates_in(first, last)

    def _on_estimates(self) -> Iterator[_Remark]:
        soon = (each for each in self._soon if each[0] < self._today + _YEAR)
        days = [(day, held) for day, held in soon if self._is_estimated(day, held)]
        if days:
            others = [_written(day) for day, _ in days[1:]]
            shown = ", ".join([_said(Gap(*days[0], ()), self._window), *others[:_MOST_ESTIMATES]])
            sentence = (
                f"estimated, for it follows the moon: {shown}{_more(days[_MOST_ESTIMATES:])}; "
                "write dates around it as another window, or update freezegate once the date is official"
            )
            yield (), sentence

    def _is_estimated(self, day: int, held: Sequence[Holiday]) -> bool:
        """Return whether a selected holiday of a day is estimated, and no written dates are around it."""
        estimated = [each for each in held if each.is_estimated]
        around = day - _EITHER_SIDE, day + _EITHER_SIDE + 1
        return _any(self._window, estimated) and not self._beside.names_dates_in(*around)

    @cached_property
    def _span(self) -> Interval:
        return self._today, self._today + _TWO_YEARS

    @cached_property
    def _soon(self) -> tuple[tuple[int, tuple[Holiday, ...]], ...]:
        return _soon(self._calendar, *self._span)


@lru_cache(maxsize=4096)
def _how_it_never_comes(window: Holidays, today: int) -> str | None:
    """Return the sentence on a window without any day in the next two years; None if it has one."""
    calendar, span = window.calendar, (today, today + _TWO_YEARS)
    if any(_any(window, held) for _, held in _soon(calendar, *span)):
        return None
    start, end = local_day(date(FIRST_YEAR, 1, 1)), local_day(date(LAST_YEAR, 12, 31))
    days = [day for day, held in _soon(calendar, start, end) if _any(window, held)]
    coming = bisect_left(days, today)
    last = f"; the last was {_written(days[coming - 1])}" if coming else ""
    when = _NEVER
    if coming < len(days):
        when = f"opens on no day of the next two years; the next is {_written(days[coming])}"
    return f"{when}{last}; {_elsewhere(window, span)}"


def _elsewhere(window: Holidays, span: Interval) -> str:
    """Suggest another category or region that has such a day soon."""
    calendar = window.calendar
    for gap in () if calendar.subdivision else gaps_to_subdivisions(calendar, *span):
        if _any(window, gap.holidays):
            return f"write subdivision: {gap.where[0]} for {_said(gap, window)}"
    for gap in gaps_to_categories(calendar, *span, worked_on=True):
        if _any(window, gap.holidays):
            categories = ", ".join(wider(calendar, gap.where[0]).categories)
            return f"write categories: [{categories}] for {_said(gap, window)}"
    return "take it out, or write dates"


@lru_cache(maxsize=256)
def _soon(calendar: Calendar, first: int, last: int) -> tuple[tuple[int, tuple[Holiday, ...]], ...]:
    return tuple(days_of(calendar, first, last))


@lru_cache(maxsize=256)
def _moved(calendar: Calendar, year: int) -> tuple[Holiday, ...]:
    held = (each for day in year_of(calendar, year).holidays.values() for each in day)
    return tuple(each for each in held if each.is_moved)


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


def _any(window: Holidays, holidays: Iterable[Holiday]) -> bool:
    return any(map(window.selects, holidays))


def _is_longer(holiday: Holiday, name: str) -> bool:
    """Return whether a name of a holiday continues another: ``Eid al-Fitr Holiday``."""
    return any(form.lower().startswith(f"{name.lower()} ") for form in holiday.forms)


def _written(day: int) -> str:
    """Format a day: ``Mon 2026-12-28``."""
    return f"{calendar_date(day):%a %Y-%m-%d}"


def _said(gap: Gap, window: Holidays) -> str:
    """Format a day with its name: ``Mon 2026-12-28 "Boxing Day (observed)"``."""
    name = next((each.english_name for each in gap.holidays if window.selects(each)), "")
    return f"{_written(gap.day)} {quoted(name)}"


def _more(days: Sized) -> str:
    """Format the number of further days: ``, and 3 days more within two years``."""
    return f", and {len(days) - 1} more" if len(days) > 1 else ""
