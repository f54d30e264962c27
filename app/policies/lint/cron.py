"""Remarks on cron expressions that are easily misread, or that other programs read differently."""

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from app.core.cron_expression import WEEK, Schedule, read_expression
from app.core.instant import DAY, HOUR, LATEST, LOOK_AHEAD, MINUTE
from app.core.notation import format_duration, format_time_of_day
from app.core.wallclock import Regimes, Wall, calendar_date
from app.core.windows.cron import Cron
from app.yaml.problem import Path, quoted

Remark = tuple[Path, str]
"""The path within the window, and the sentence."""

_PERIODS: Final = {
    "minute": ("hour", 60),
    "hour": ("day", 24),
    "day of the month": ("month", 0),
    "month": ("year", 12),
}
"""The period of each unit and its number of units; 0 where that varies."""
_COMMON_FEBRUARY: Final = 28
_LEAP_DAY: Final = 29
_FEBRUARY: Final = 2
_FIFTH: Final = 5
_LAST_MINUTE: Final = DAY - MINUTE
_MOST_LISTED: Final = 12


def cron_remarks(window: Cron, zones: Sequence[Regimes], now: int, *, freezes: bool) -> Iterator[Remark]:
    """Yield remarks on a cron window; `freezes` if deploys are refused while it is open."""
    yield from _at("start", _on_expression(window.start))
    if window.end is not None:
        yield from _at("end", _on_expression(window.end))
        yield from _at("end", _on_end(window.start, window.end))
        return
    duration = window.duration or 0
    if overlap := _on_overlap(window.start, duration, now // DAY):
        yield ("start",), overlap
    elif freezes and duration >= DAY:
        yield from _at("duration", _on_setbacks(window, duration, zones, now))


def _at(key: str, sentences: Iterable[str]) -> Iterator[Remark]:
    return (((key,), sentence) for sentence in sentences)


@lru_cache(maxsize=4096)
def _on_expression(text: str) -> tuple[str, ...]:
    minute, hour, days, month, weekdays = text.upper().split()
    schedule = read_expression(text)
    return (
        *_on_step("minute", minute, {time % HOUR // MINUTE for time in schedule.times}),
        *_on_step("hour", hour, {time // HOUR for time in schedule.times}),
        *_on_step("day of the month", days, schedule.days),
        *_on_step("month", month, schedule.months),
        *_on_weekday_step(weekdays, schedule),
        *_on_two_day_fields(text, schedule),
        *_on_rare_days(days, schedule),
        *_on_fifth_weekday(schedule),
    )


def _on_step(unit: str, field: str, values: set[int] | frozenset[int]) -> Iterator[str]:
    """Remark on a step that doesn't divide its hour, day, month or year: it restarts with each."""
    _, _, step = field.partition("/")
    period, size = _PERIODS[unit]
    # A list or a range has explicit bounds, so it isn't misread.
    if not step or not {",", "-"}.isdisjoint(field) or int(step) == 1 or (size and size % int(step) == 0):
        return
    first, *others = sorted(values)
    if not others:
        yield f"{quoted(field)} matches only {unit} {first} of every {period}; write {first} if that is meant"
        return
    listed = ",".join(map(str, sorted(values)))
    write = listed if len(values) <= _MOST_LISTED else f"{first}-{others[-1]}/{step}"
    yield (
        f"{quoted(field)} restarts every {period}: {unit} {others[-1]} is followed by {first}; "
        f"write {write} if that is meant"
    )


def _on_weekday_step(field: str, schedule: Schedule) -> Iterator[str]:
    if "/" in field and not field.endswith("/1"):
        weeks = re.split(r"\D", field.partition("/")[2])[0]
        days = ",".join(WEEK[day] for day in sorted(schedule.weekdays, key=lambda day: (day - 1) % 7))
        yield (
            f"{quoted(field)} means {days} of every week, because steps restart each week; write {days} if "
            f"that is meant; for a firing every {weeks} weeks write a weekly window with every: {weeks} and "
            "starting"
        )


def _on_two_day_fields(text: str, schedule: Schedule) -> Iterator[str]:
    _, _, days, _, weekdays = text.upper().split()
    if "*" in (days, weekdays) or schedule.takes_every_weekday:
        return
    if schedule.takes_every_day_of_month:
        yield (
            f"{quoted(days)} and {quoted(weekdays)}: with both fields set, some programs fire every day; "
            f"here {'both must match' if schedule.both else 'either may match'}; write * in one of the two"
        )
    elif schedule.both:
        yield (
            f"fires only when {quoted(days)} and {quoted(weekdays)} both match, because one begins with a "
            "star; other programs fire when either matches: for either write two windows, for both take the "
            "other days out with except_when"
        )
    else:
        yield (
            f"fires when either {quoted(days)} or {quoted(weekdays)} matches, not only when both do; "
            f"for both {_both(text, schedule)}, for either write two windows"
        )


def _both(text: str, schedule: Schedule) -> str:
    """Suggest a form in which day of month and day of week must both match."""
    minute, hour, _, month, _ = text.upper().split()
    days, first = sorted(schedule.days), min(schedule.days)
    if first % 7 != 1 or days != list(range(first, first + 7)) or not schedule.weekdays:
        if not schedule.weekdays:
            return "write * as the day of the month"
        weekday = min(schedule.weekdays)
        nth = f"{weekday}L" if first < 1 else f"{WEEK[weekday]}#{(first - 1) // 7 + 1}"
        return f"write a weekday of the month, such as {nth}, with * as the day of the month"
    nth = ",".join(f"{WEEK[day]}#{first // 7 + 1}" for day in sorted(schedule.weekdays))
    return f'write "{minute} {hour} * {month} {nth}"'


def _on_rare_days(field: str, schedule: Schedule) -> Iterator[str]:
    """Remark on days that some of the months don't have."""
    if schedule.last_day:
        return
    for day in sorted(map(int, filter(str.isdecimal, field.split(",")))):
        if missing := [month for month in sorted(schedule.months) if _days_of(month) < day]:
            names = ", ".join(map(calendar.month_abbr.__getitem__, missing))
            when = " of most years" if (day, missing) == (_LEAP_DAY, [_FEBRUARY]) else ""
            yield f"there is no day {day} in {names}{when}; for the last day of each month write L"
            return


def _days_of(month: int) -> int:
    """Return the number of days of a month in a common year."""
    return _COMMON_FEBRUARY if month == _FEBRUARY else calendar.monthrange(2001, month)[1]


def _on_fifth_weekday(schedule: Schedule) -> Iterator[str]:
    for day, nth in sorted(schedule.nth_weekdays):
        if nth == _FIFTH:
            yield f"most months have no fifth {WEEK[day]}; for the last of each month write {day}L"


def _on_end(start: str, end: str) -> Iterator[str]:
    times = read_expression(end).times
    if read_expression(start) == read_expression(end):
        yield (
            "fires whenever start does, so the window never closes; write always: true if that is meant, "
            "another end if not"
        )
    elif len(times) == 1 and times[0] >= _LAST_MINUTE:
        yield (
            f"closes at {format_time_of_day(times[0])}, before the last minute of the day; "
            'to include that minute, write "0 0" on the day after'
        )


def _on_overlap(text: str, duration: int, today: int) -> str | None:
    """Remark on firings that come while the window of an earlier one is still open."""
    schedule = read_expression(text)
    first, last = schedule.times[0], schedule.times[-1]
    if any(later - time < duration for time, later in pairwise(schedule.times)):
        return _on_firings_of_a_day(text, schedule, duration)
    if duration <= DAY - (last - first):
        return None
    days = [day for day in range(today, today + LOOK_AHEAD // DAY) if schedule.fires_on(calendar_date(day))]
    for day, later in pairwise(days):
        if (later - day) * DAY - (last - first) < duration:
            return (
                f"fires on {calendar_date(day):%a} and again on {calendar_date(later):%a}, before its "
                f"duration of {format_duration(duration)} has passed, so the windows merge; fire on the "
                "first day only, or shorten the duration"
            )
    return None


def _on_firings_of_a_day(text: str, schedule: Schedule, duration: int) -> str:
    first, last = schedule.times[0], schedule.times[-1]
    days, time = divmod(last + duration, DAY)
    until = format_time_of_day(time) + (" of the next day" if days == 1 else f", {days} days later") * (
        days > 0
    )
    rest = " ".join(text.split()[2:])
    close = f' with end "{_minute_and_hour(last)} {rest}"' if duration <= last - first else ""
    return (
        f"fires {len(schedule.times)} times a day, each for {format_duration(duration)}, so what opens at "
        f"{format_time_of_day(first)} stays open until {until}; to fire once, write start "
        f'"{_minute_and_hour(first)} {rest}"{close}'
    )


def _minute_and_hour(time: int) -> str:
    return f"{time % HOUR // MINUTE} {time // HOUR}"


def _on_setbacks(window: Cron, duration: int, zones: Sequence[Regimes], now: int) -> Iterator[str]:
    """Remark on a freeze of days that ends early by local time, because the clocks go back during it."""
    for zone in zones:
        wall = Wall.of(zone, wide=True)
        for at in zone.setbacks(now, min(now + LOOK_AHEAD, LATEST)):
            for start, end in window.intervals((at - 1, at + 1), wall):
                if start < at < end:
                    meant = zone.local(start) + duration
                    yield (
                        f"is elapsed time: on {calendar_date(zone.local(end) // DAY):%d %b %Y} it ends at "
                        f"{format_time_of_day(zone.local(end) % DAY)}, not at "
                        f"{format_time_of_day(meant % DAY)}, "
                        "because the clocks go back during it; write end to close at a time of day"
                    )
                    return
