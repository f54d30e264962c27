"""Windows of policies.yaml for times that recur on the wall clock, and where they are wider.

Many programs compare the wall clock with their windows, second by second. A window of ours has two bounds
instead. Both agree, except where clocks are set back and a bound falls into the hour that repeats: then ours
takes the bound that freezes longer.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final

from app.core.instant import DAY, EARLIEST, HOUR, LATEST, MINUTE
from app.core.interval import Interval, complement
from app.core.notation import WEEKDAYS, format_time_of_day
from app.core.wallclock import calendar_date, zone

Window = dict[str, Any]

EVERY_DAY: Final = frozenset(range(7))
WHOLE_DAY: Final = ((0, DAY),)

WIDER_IN_REPEATED_HOUR: Final = (
    "where clocks are set back and a bound falls into the hour that repeats, "
    "freezegate takes the time that freezes longer"
)

LONGER_IN_LEAP_YEARS: Final = "in leap years, a window past the end of February freezes a day more"


def daily_windows(weekdays: Collection[int], ranges: Sequence[Interval]) -> list[Window]:
    """Return windows for ranges of a day, in seconds since midnight, on weekdays (Monday is 0)."""
    every = len(weekdays) == len(EVERY_DAY)
    if every and tuple(ranges) == WHOLE_DAY:
        return [{"always": True}]
    days = {} if every else {"days": day_names(weekdays)}
    return [{"daily": {**days, "from": time_text(start), "to": time_text(end)}} for start, end in ranges]


def cron_windows(days: str, ranges: Sequence[Interval]) -> list[Window]:
    """Return windows for ranges of a day on the days of three cron fields: day, month, weekday."""
    return [
        {"cron": {"start": f"{_cron_time(start)} {days}", "end": f"{_cron_time(end % DAY)} * * *"}}
        for start, end in ranges
    ]


def other_times(ranges: Sequence[Interval]) -> list[Interval]:
    """Return the rest of a day."""
    return complement(ranges, (0, DAY))


def day_names(weekdays: Collection[int]) -> list[str]:
    """Return weekdays as policies.yaml names them, in ranges where three or more follow each other."""
    names: list[str] = []
    for start, end in runs(weekdays):
        if end - start > 1:
            names.append(f"{WEEKDAYS[start]}-{WEEKDAYS[end]}")
        else:
            names += [WEEKDAYS[day] for day in range(start, end + 1)]
    return names


def cron_numbers(numbers: Collection[int]) -> str:
    """Return numbers as a cron field: ``1-5,8``."""
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in runs(numbers))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of successive numbers."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def time_text(seconds: int) -> str:
    """Return a time of day as policies.yaml writes it, ``24:00`` included."""
    return "24:00" if seconds == DAY else format_time_of_day(seconds)


def is_repeated(zone_name: str, times: Iterable[int]) -> bool:
    """Return whether one of these times of day is ever shown twice in a night of a zone."""
    folds = _folds(zone_name)
    return any(
        start <= time % DAY + shift < end for time in times for shift in (0, DAY) for start, end in folds
    )


def is_skipped(zone_name: str, times: Iterable[int], fires_on: Callable[[date], bool]) -> bool:
    """Return whether one of these times of day, on such a day, is ever skipped in a zone."""
    chosen = list(times)
    for start, end in zone(zone_name).skipped(EARLIEST, LATEST):
        for day in range(start // DAY, (end - 1) // DAY + 1):
            if any(start <= day * DAY + time < end for time in chosen) and fires_on(calendar_date(day)):
                return True
    return False


def wider_reason(zone_name: str, bounds: Iterable[int], *, in_leap_years: bool = False) -> str | None:
    """Return why windows with these bounds are wider than their source; None if they are equal."""
    reasons = [WIDER_IN_REPEATED_HOUR] * is_repeated(zone_name, bounds)
    reasons += [LONGER_IN_LEAP_YEARS] * in_leap_years
    return "; ".join(reasons) or None


@lru_cache(maxsize=1024)
def _folds(zone_name: str) -> frozenset[Interval]:
    """Return the times of day that repeat when a zone's clocks are set back; they may pass midnight."""
    clock = zone(zone_name)
    found = set()
    for instant in clock.setbacks(EARLIEST, LATEST):
        start, end = clock.local(instant), clock.local(instant - 1) + 1
        found.add((start % DAY, start % DAY + end - start))
    return frozenset(found)


def _cron_time(seconds: int) -> str:
    return f"{seconds % HOUR // MINUTE} {seconds // HOUR}"
