"""GitLab's rules for freeze periods, and fugit's for cron, read once more: slow, obvious, without our code.

The files of the comparison are here, too: some written by hand, the others from a seed.
"""

import calendar
import json
import random
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.policies.importers.differential import (
    LAST,
    Case,
    Intervals,
    regimes,
    union,
    wall_days,
    wall_seconds,
)

MUTATIONS = (
    "both days must match",
    "a star with a step restricts nothing",
    "weekdays begin on Monday",
    "7 is no Sunday",
    "ranges don't wrap",
    "the last day is the 31st",
    "the n-th weekday is every one",
    "the last weekday is the fourth",
    "a repeated hour fires once",
    "a second start ends the first freeze",
    "the end is a day later",
    "the zone is ignored",
    "Rails' names are unknown",
    "starts and ends are swapped",
)

_NAMES = {
    "Berlin": "Europe/Berlin",
    "Eastern Time (US & Canada)": "America/New_York",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Santiago": "America/Santiago",
    "UTC": "UTC",
}
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def reading(case: Case, question: tuple[str, str], mutation: str | None) -> Intervals:
    """Return when a period is active: from each start to the next end after it."""
    data = json.loads(case.text)
    found: Intervals = []
    for period in data if isinstance(data, list) else [data]:
        name = period.get("cron_timezone") or "UTC"
        zone = _NAMES.get(name, name)
        if mutation == "Rails' names are unknown":
            zone = name if "/" in name else "UTC"
        if mutation == "the zone is ignored":
            zone = "UTC"
        keys = ["freeze_start", "freeze_end"]
        if mutation == "starts and ends are swapped":
            keys.reverse()
        starts, ends = (_firings(period[key], zone, mutation) for key in keys)
        for number, start in enumerate(starts):
            index = bisect_right(ends, start)
            end = ends[index] if index < len(ends) else LAST
            if mutation == "a second start ends the first freeze" and number + 1 < len(starts):
                end = end if starts[number + 1] >= end else start
            found.append((start, end + 86_400 * (mutation == "the end is a day later")))
    return union(found)


def _firings(text: str, zone: str, mutation: str | None) -> list[int]:
    fires = _fires(text, mutation)
    minutes, hours = text.lower().split()[:2]
    times = [
        (3600 * (hour % 24) + 60 * minute)
        for hour in _numbers(hours, 0, 23, [], mutation)
        for minute in _numbers(minutes, 0, 59, [], mutation)
    ]
    locals_ = [wall_seconds(day) + time for day in wall_days() if fires(day) for time in times]
    found: list[int] = []
    seen: set[int] = set()
    for start, end, offset in regimes(zone):
        shown = [local for local in locals_ if start <= local - offset < end]
        if mutation == "a repeated hour fires once":
            shown = [local for local in shown if local not in seen]
            seen.update(shown)
        found += [local - offset for local in shown]
    return found


def _fires(text: str, mutation: str | None) -> Callable[[datetime], bool]:
    days, months, weekdays = text.lower().split()[2:]
    any_day = days == "*" or (mutation == "a star with a step restricts nothing" and "*" in days)
    both = any_day or weekdays == "*" or mutation == "both days must match"
    chosen_months = _numbers(months, 1, 12, _MONTHS, mutation, 1)
    is_day = [_day(item, mutation) for item in days.split(",")]
    is_weekday = [_weekday(item, mutation) for item in weekdays.split(",")]

    def fires(day: datetime) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        if day.month not in chosen_months:
            return False
        by_day = any_day or any(check(day.day, length) for check in is_day)
        by_week = any(check(day, length) for check in is_weekday)
        return by_day and by_week if both else by_day or by_week

    return fires


def _day(item: str, mutation: str | None) -> Callable[[int, int], bool]:
    if item in ("l", "last"):
        return lambda day, length: day == (31 if mutation == "the last day is the 31st" else length)
    chosen = _numbers(item, 1, 31, [], mutation)
    return lambda day, _: day in chosen


def _weekday(item: str, mutation: str | None) -> Callable[[datetime, int], bool]:
    weekday, hash_, nth = item.partition("#")
    chosen = set(_numbers(weekday, 0, 7, _WEEKDAYS, mutation))
    if 7 in chosen and mutation != "7 is no Sunday":
        chosen.add(0)

    def check(day: datetime, length: int) -> bool:
        number = day.weekday() if mutation == "weekdays begin on Monday" else day.isoweekday() % 7
        if number not in chosen:
            return False
        if not hash_ or mutation == "the n-th weekday is every one":
            return True
        if nth in ("l", "-1"):
            return (
                22 <= day.day <= 28 if mutation == "the last weekday is the fourth" else day.day + 7 > length
            )
        return (day.day - 1) // 7 + 1 == int(nth)

    return check


def _numbers(
    field: str, low: int, high: int, names: list[str], mutation: str | None, base: int = 0
) -> list[int]:
    def number(text: str) -> int:
        return names.index(text) + base if text in names else int(text)

    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        if first == "*":
            found.update(range(low, high + 1, int(step or 1)))
        elif dash and number(first) > number(last):
            if mutation != "ranges don't wrap":
                found.update([*range(number(first), high + 1), *range(low, number(last) + 1)])
        else:
            end = number(last) if dash else high if step else number(first)
            found.update(range(number(first), end + 1, int(step or 1)))
    return sorted(found)


def periods(*rows: tuple[str, str, str]) -> str:
    listed: list[dict[str, Any]] = [
        {"id": number, "freeze_start": start, "freeze_end": end, "cron_timezone": zone}
        for number, (start, end, zone) in enumerate(rows, 1)
    ]
    return json.dumps(listed, indent=2)


WRITTEN = [
    Case(periods(("0 23 * * 5", "0 7 * * 1", "Berlin"))),
    Case(periods(("0 0 20 12 *", "0 8 3 1 *", "Pacific Time (US & Canada)"))),
    Case(periods(("30 2 L * *", "0 8 * * 1-5", "America/New_York"))),
    Case(periods(("0 22 * * fri#L", "0 6 * * mon", "Berlin"), ("0 12 * * wed#2", "0 18 * * *", "UTC"))),
    Case(periods(("0 0 */10 * 5", "0 5 * * *", "UTC"))),
    Case(periods(("0 18 * * fri-mon", "0 6 * * tue-sat", "Eastern Time (US & Canada)"))),
    Case(periods(("15 1 * * 7", "15 4 * * 0", "Berlin"))),
    Case(periods(("0 22 28-2 * *", "0 4 * * *", "Santiago"))),
    Case(periods(("0 8-17 * * *", "30 17 * * *", "Berlin"))),
    Case(periods(("30 * * * 0", "45 * * * *", "Berlin"))),
    Case('{"id": 3, "freeze_start": "0 24 * * *", "freeze_end": "0 5 * 1-6 *"}'),
]


def generated(number: int) -> Case:
    """Return a file from a seed."""
    generator = random.Random(number)
    rows = []
    for _ in range(generator.randint(1, 3)):
        zone = generator.choice([*_NAMES, "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Beirut"])
        rows.append((_start(generator), _end(generator), zone))
    return Case(periods(*rows))


def _start(generator: random.Random) -> str:
    time = generator.choice(["0 0", "30 1", "30 2", "0 18", "*/15 23", "0 9-17", "59 23", "0 *"])
    return f"{time} {generator.choice(STARTS)}"


def _end(generator: random.Random) -> str:
    """Return an end outside of the hours that are skipped somewhere."""
    time = generator.choice(["0 5", "0 8", "30 12", "0 7-9", "15 *", "45 18"])
    return f"{time} {generator.choice(ENDS)}"


STARTS = [
    "* * *",
    "* * 5",
    "* * fri,sat",
    "1 * *",
    "L * *",
    "* 12 *",
    "13 * 5",
    "*/5 * 2",
    "* * thu#1",
    "28-3 * *",
]
ENDS = ["* * *", "* * 1", "* * 1-5", "* * mon#1", "L * *", "2 1,4,7,10 *", "* * 6-1"]

CASES = [*WRITTEN, *(generated(number) for number in range(14))]
