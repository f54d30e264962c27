"""Write windows of policies.yaml for spans on a wall clock.

A span is its first local time, in seconds (see `wallclock`), and its length on the wall clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import gcd
from typing import Any, Final

from app.core.instant import DAY
from app.core.notation import WEEKDAYS, format_time_of_day
from app.core.wallclock import calendar_date, weekday
from app.policies.importers.wall_windows import EVERY_DAY, daily_windows

Entry = Mapping[str, Any]
"""A window as in policies.yaml, with its kind as the only key."""

ALWAYS: Final[Entry] = {"always": True}
WEEK: Final = 7 * DAY

_FIRST_DAY: Final = "2000-01-01"
_LAST_DAY: Final = "2100-12-31"
_MOST_WEEKS: Final = 53
"""The most weeks between two openings of a `weekly` window."""


def once(start: int, end: int) -> Entry:
    """Return the window of a span that doesn't recur; whole days are written as bare dates."""
    last = calendar_date(end // DAY - 1).isoformat() if end % DAY == 0 else local_text(end)
    return {"dates": {"from": _date_text(start), "to": last}}


def joined(windows: Iterable[Sequence[Entry] | None]) -> list[Entry] | None:
    """Return all windows of lists; None if one of the lists is missing."""
    found: list[Entry] = []
    for each in windows:
        if each is None:
            return None
        found += each
    return found


def before(start: int) -> Entry:
    """Return a window of everything before a local time."""
    return {"dates": {"from": _FIRST_DAY, "to": once(start, start)["dates"]["to"]}}


def after(end: int) -> Entry:
    """Return a window of everything from a local time on."""
    return {"dates": {"from": _date_text(end), "to": _LAST_DAY}}


def on_days(days: Iterable[int], start: int, length: int) -> list[Entry]:
    """Return windows for a time of day on some weekdays of each week.

    Args:
        days: the weekdays on which it opens; Monday is 0.
        start: the time of day at which it opens.
        length: how long it lasts, at most a week.
    """
    opens = set(days)
    if opens == EVERY_DAY and length >= DAY:
        return [ALWAYS]
    if length < DAY or (length == DAY and start == 0):
        end = start + length
        return [*daily_windows(opens, [(start, end if end <= DAY else end - DAY)])]
    return [_weekly(day * DAY + start, length) for day in sorted(opens)]


def every_days(start: int, length: int, days: int) -> list[Entry] | None:
    """Return windows for a span that recurs every so many days; None if it can't be said."""
    if length >= days * DAY:
        return [ALWAYS]
    if days == 1:
        return on_days(range(7), start % DAY, length)
    weeks = days // gcd(days, len(WEEKDAYS))
    return joined(every_weeks(start + days * DAY * each, length, weeks) for each in range(weeks * 7 // days))


def every_weeks(start: int, length: int, weeks: int) -> list[Entry] | None:
    """Return windows for a span that recurs every so many weeks; None if it can't be said."""
    if length >= weeks * WEEK:
        return [ALWAYS]
    if weeks > _MOST_WEEKS:
        return None
    if weeks == 1:
        return on_days([weekday(start // DAY)], start % DAY, length)
    pieces = range(start, start + length, WEEK)
    return [_weekly(piece, min(WEEK, start + length - piece), weeks) for piece in pieces]


def every_year(start: int, length: int) -> Entry | None:
    """Return the window of a span that recurs on its days of each year; None if it can't be said."""
    first, last = calendar_date(start // DAY), calendar_date((start + length) // DAY)
    crosses = (last.year, last.month, last.day) > (first.year + 1, first.month, first.day)
    if crosses or _meets_leap_day(start, length):
        return None
    begins = _year_text(first, start % DAY)
    if (start + length) % DAY == 0:
        return {"yearly": {"from": begins, "to": f"{calendar_date((start + length) // DAY - 1):%m-%d}"}}
    return {"yearly": {"from": begins, "to": _year_text(last, (start + length) % DAY)}}


def every_month(
    day: str, start: int, length: int, months: Iterable[int] = (), shift: int = 0
) -> Entry | None:
    """Return the window of a span that opens on a day of each month, or of some months.

    None if it can't be said: days after a workday would be counted in workdays.

    Args:
        day: the day as `monthly` writes it, such as ``2nd tue`` or ``last``.
        start: the time of day at which it opens.
        length: how long it lasts, at most four weeks.
        months: the months, from 1; all of them if empty.
        shift: how many days after that day it opens; before it if negative.
    """
    end = start + length
    later, time = divmod(end, DAY) if end % DAY else (end // DAY - 1, 0)
    if later and day.endswith("workday"):
        return None
    window: dict[str, Any] = {
        "from": _month_text(day, shift, start),
        "to": _month_text(day, shift + later, time),
    }
    if named := sorted(set(months)):
        window["months"] = [f"{date(2000, month, 1):%b}".lower() for month in named]
    return {"monthly": window}


def _month_text(day: str, shift: int, time: int) -> str:
    """Return a bound; without a time, it is the first second of its day, or the end of it."""
    shifted = f"{day} {shift:+d}" if shift else day
    return f"{shifted} {format_time_of_day(time)}" if time else shifted


def local_text(local: int) -> str:
    """Return a local time as ``2026-12-11 18:00``."""
    return f"{calendar_date(local // DAY)} {format_time_of_day(local % DAY)}"


def _weekly(start: int, length: int, weeks: int = 1) -> Entry:
    """Return a window of at most a week; `start` is a local time, or since a Monday if weekly."""
    opens = start if weeks == 1 else start % DAY + weekday(start // DAY) * DAY
    window: dict[str, Any] = {"from": _week_text(opens), "to": _week_text(opens + length)}
    if weeks > 1:
        window |= {"every": weeks, "starting": calendar_date(start // DAY).isoformat()}
    return {"weekly": window}


def _week_text(offset: int) -> str:
    day, time = divmod(offset % WEEK, DAY)
    return f"{WEEKDAYS[day]} {format_time_of_day(time)}"


def _year_text(day: date, time: int) -> str:
    return f"{day:%m-%d} {format_time_of_day(time)}" if time else f"{day:%m-%d}"


def _date_text(local: int) -> str:
    return calendar_date(local // DAY).isoformat() if local % DAY == 0 else local_text(local)


def _meets_leap_day(start: int, length: int) -> bool:
    """Return whether the span would begin or end another day in a year with or without 02-29.

    From 27 February for three days ends on 2 March, or on 1 March in a leap year.
    """
    first = calendar_date(start // DAY)
    if (first.month, first.day) == (2, 29):
        return True
    ends = {_last_day(first.replace(year=year), start % DAY + length) for year in (2095, 2096, 2097)}
    return len(ends) > 1


def _last_day(first: date, until: int) -> tuple[int, int]:
    """Return month and day of the last day that a span touches."""
    last = date.fromordinal(first.toordinal() + (until - 1) // DAY)
    return last.month, last.day
