"""Remarks on monthly windows: days that months lack, ends that come first, holidays not left out."""

import calendar as gregorian
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

from app.core.instant import DAY
from app.core.month_day import (
    DAY_OF_MONTH,
    LAST,
    MOST_OFFSET,
    WORKDAY,
    MonthBound,
    MonthDay,
    format_month_bound,
    format_month_day,
)
from app.core.notation import format_time_of_day
from app.core.policy import PolicySet
from app.core.wallclock import calendar_date
from app.core.window import Window
from app.core.windows.monthly import MonthDays, Monthly, month_of
from app.core.workdays import CalendarKeys
from app.policies.lint.cron import Remark
from app.policies.lint.placed_window import placed_windows
from app.policies.lint.windows import LAST_MINUTE, before_midnight
from app.policies.lint.workdays import workday_remarks

_AHEAD: Final = 48
"""Months in which days are looked for: but around 2100, one of them is a February of 29 days."""

_FEBRUARY: Final = 1
_LEAP_DAY: Final = 29
_YEAR: Final = 12
_MOST_NAMED: Final = 3
_NEARLY_ALL: Final = 5 / 6


class _Opening(NamedTuple):
    """An opening in the months to come."""

    month: int
    """The month in which it opens, as `MonthDays` numbers months."""
    start: int
    end: int
    """Both in local time."""
    closes_in: int | None
    """The month of its `to`; None if none is near."""

    @property
    def runs(self) -> int:
        """The months from the one in which it opens to that of its `to`."""
        return (self.closes_in or self.month) - self.month


def monthly_remarks(window: Monthly, elsewhere: str | None, now: int, *, freezes: bool) -> Iterator[Remark]:
    """Yield remarks on a monthly window.

    Args:
        window: the window.
        elsewhere: the calendar that `calendar_named` finds in the set.
        now: the instant from which months to come are seen.
        freezes: whether deploys are refused while it is open.
    """
    here = month_of(now // DAY)
    openings = list(_openings(window, range(here, here + _AHEAD)))
    if elsewhere is not None and window.workdays is None:
        yield from _on_holidays(window, elsewhere)
    yield from workday_remarks(window, now // DAY)
    yield from _on_lacking_starts(window, range(here, here + _AHEAD))
    lacking = [*_on_lacking_ends(window, openings)]
    yield from lacking
    if said := _on_last_time(window.to):
        yield ("to",), said
    if not lacking:
        yield from _on_order(window, openings)
        yield from _on_length(window, openings, freezes=freezes)


def calendar_named(policy_set: PolicySet) -> str | None:
    """Return the first calendar that a set names in a window, as `workdays` is written; None without one."""
    windows = (placed.entry.window for policy in policy_set.policies for placed in placed_windows(policy))
    return next(filter(None, map(_calendar_of, windows)), None)


def _calendar_of(window: Window) -> str | None:
    keys = window.workdays if isinstance(window, Monthly) else window
    if not isinstance(keys, CalendarKeys) or not keys.calendar.is_listed:
        return None
    fields = {"country": keys.country, "subdivision": keys.subdivision, "market": keys.market}
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items() if value is not None) + "}"


def _openings(window: Monthly, months: range) -> Iterator[_Opening]:
    for month in months:
        opening = window.opening(month)
        if opening is not None:
            yield _Opening(month, *opening, window.closing_month(opening[0], month))


def _on_holidays(window: Monthly, elsewhere: str) -> Iterator[Remark]:
    for key, bound in (("from", window.from_), ("to", window.to)):
        if bound.day.unit == WORKDAY:
            sentence = (
                "counts every Monday to Friday as a workday, holidays included; to leave holidays out write "
                f"workdays: {elsewhere}, else workdays: {{weekend: [sat, sun]}}"
            )
            yield (key,), sentence
            return


def _on_lacking_starts(window: Monthly, months: range) -> Iterator[Remark]:
    meant = [month for month in months if month % _YEAR + 1 in window.opens_in]
    if lacking := _lacking(window.starts, meant):
        yield (
            ("from",),
            f"{_there_is_no(window.from_.day, lacking)}, so nothing opens there{_last(window.from_)}",
        )


def _on_lacking_ends(window: Monthly, openings: Sequence[_Opening]) -> Iterator[Remark]:
    """Remark on openings that run on, because the month in which they would close lacks the day."""
    for each in openings:
        if each.closes_in is None:
            lacking = _lacking(window.ends, range(each.month, each.month + _AHEAD))
            sentence = f"{_there_is_no(window.to.day, lacking)}, so it stays open for two years"
            yield ("to",), sentence + _last(window.to)
            return
        if lacking := _lacking(window.ends, range(each.month, each.closes_in)):
            sentence = (
                f"{_there_is_no(window.to.day, lacking)}, so what opens on {_date(each.start)} runs on to "
                f"{_date(each.end - 1)}{_last(window.to)}"
            )
            yield ("to",), sentence
            return


def _lacking(days: MonthDays, months: Sequence[int]) -> list[int]:
    return [month for month in months if days.of(month) is None]


def _there_is_no(day: MonthDay, lacking: list[int]) -> str:
    """Return ``there is no day 31 in Feb, Apr, Jun, Sep and Nov``."""
    bare = day._replace(offset=0)
    if day.unit != DAY_OF_MONTH:
        named = [f"{_first_of(month):%b %Y}" for month in lacking[:_MOST_NAMED]]
        more = len(lacking) - len(named)
        rest = f" and {more} other month" + "s" * (more > 1) if more else ""
        return f"there is no {format_month_day(bare)} in {', '.join(named)}{rest}"
    of_year = sorted({month % _YEAR for month in lacking})
    names = [gregorian.month_abbr[month + 1] for month in of_year]
    often = " of most years" if of_year == [_FEBRUARY] and day.nth == _LEAP_DAY else ""
    return f"there is no day {day.nth} in {', '.join(names)}{often}"


def _last(bound: MonthBound) -> str:
    """Return the advice to count from the end of the month instead."""
    if bound.day.nth == LAST:
        return ""
    write = format_month_bound(MonthBound(bound.day._replace(nth=LAST), bound.time))
    return f"; for the last of each month write {write}"


def _on_last_time(bound: MonthBound) -> str | None:
    day = bound.day
    if bound.time is not None and bound.time >= LAST_MINUTE:
        return before_midnight(bound.time, f"{format_month_day(day)}, which includes that day")
    # The day before a workday may be none, so there is no other way to write that one.
    if bound.time != 0 or day.unit == WORKDAY:
        return None
    before = day._replace(offset=day.offset - 1)
    if day == MonthDay(DAY_OF_MONTH, 1):
        before = MonthDay(DAY_OF_MONTH, LAST)
    return (
        "is the beginning of that day, so nothing of it is included; write "
        f"{format_month_day(day)} to include it, {format_month_day(before)} if not"
    )


def _on_order(window: Monthly, openings: Sequence[_Opening]) -> Iterator[Remark]:
    """Remark on an end that comes after the start in some months, and before it in others."""
    usual = min((each.runs for each in openings), default=0)
    late = next((each for each in openings if each.runs > usual), None)
    if late is None:
        return
    skipped = window.ends.of(late.month + usual) or 0
    advice = _advice_on_order(window, [each for each in openings if each.runs == usual])
    sentence = (
        f"is {calendar_date(skipped)} where from is {_date(late.start)}: that is not after it, so the window "
        f"stays open until {_date(late.end - 1)}; {advice}"
    )
    yield ("to",), sentence


def _advice_on_order(window: Monthly, usual: Sequence[_Opening]) -> str:
    day, included = window.from_.day, window.to.time is None
    lengths = {(each.end - included) // DAY - each.start // DAY for each in usual}
    if len(lengths) == 1 and day.unit != WORKDAY and (later := day.offset + lengths.pop()) <= MOST_OFFSET:
        bound = MonthBound(day._replace(offset=later), window.to.time)
        return f"to close as many days after from as usual, write {format_month_bound(bound)}"
    return "write both with the same kind of day, and an offset"


def _on_length(window: Monthly, openings: Sequence[_Opening], *, freezes: bool) -> Iterator[Remark]:
    """Remark on a window that is open nearly always, or that opens nights."""
    if not freezes:
        yield from _on_nights(window, openings)
    if len(openings) < _AHEAD:
        return  # not in every month
    held = sum(each.end - each.start for each in openings)
    if all(each.end >= later.start for each, later in pairwise(openings)):
        sentence = (
            "never closes, because each window lasts until the next; write always: true if that is meant"
        )
        yield ("to",), sentence
    elif freezes and held > _NEARLY_ALL * (openings[-1].end - openings[0].start):
        sentence = (
            "holds nearly the whole month; if the rest is meant, swap from and to; if not, say when it "
            "is open, with effect: allow-only"
        )
        yield ("to",), sentence


def _on_nights(window: Monthly, openings: Sequence[_Opening]) -> Iterator[Remark]:
    start, end = window.from_.time or 0, window.to.time or 0
    if 0 < start < end and any(each.end - each.start > DAY for each in openings):
        first = format_month_day(window.from_.day)
        a, b = format_time_of_day(start), format_time_of_day(end)
        sentence = (
            "opens the nights in between, too; if hours of each day are meant, write a window for each day, "
            f"the first of them from {first} {a} to {first} {b}"
        )
        yield ("to",), sentence


def _first_of(month: int) -> date:
    return date(month // _YEAR, month % _YEAR + 1, 1)


def _date(local: int) -> date:
    return calendar_date(local // DAY)
