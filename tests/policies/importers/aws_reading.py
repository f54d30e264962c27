"""Deployment windows of AWS CodePipeline, read on their own: slow and obvious, minute by minute of a day.

A stage may begin in each minute that every window of its conditions matches. The expressions are those of
Quartz: seconds, which don't count, minutes, hours, days of the month, months, weekdays from Sunday, years.
"""

import calendar
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.policies.importers.wall_spans import Span, days, instant, inverted, merged, opened
from tests.spec.twin import zone

NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = tuple(date(2000, month, 1).strftime("%b").upper() for month in range(1, 13))

RULES = (
    "the first field is seconds",
    "Sunday is 1",
    "a range includes its end",
    "a range may wrap",
    "a step counts from its start",
    "a minute lasts a minute",
    "L is the last day of the month",
    "LW is the last day from Monday to Friday",
    "L after a weekday is the last of the month",
    "a number behind # is the nth of the month",
    "L alone is Saturday",
    "the month limits the days",
    "the year limits the days",
    "times are in the zone of the rule",
    "without a zone, times are in UTC",
    "PST is the zone of Los Angeles",
    "each rule of a stage must match",
    "a stage has rules of its own",
)


def closed(text: str, stage: str, wrong: str | None = None) -> list[Span]:
    """When a stage may not begin; `wrong` is the rule that is misread."""
    data = parsed(text)
    pipeline = data.get("pipeline", data)
    found: list[Span] = []
    for each in pipeline["stages"]:
        if each["name"].lower() != stage and wrong != "a stage has rules of its own":
            continue
        for condition in each.get("beforeEntry", {}).get("conditions", []):
            rules = condition["rules"]
            for rule in rules[:1] if wrong == "each rule of a stage must match" else rules:
                found += inverted(merged(windows(rule["configuration"], wrong)))
    return merged(found)


@cache
def parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text.startswith("{") else yaml.safe_load(text)
    return found


def windows(configuration: dict[str, str], wrong: str | None) -> Iterator[Span]:
    written = configuration.get(
        "TimeZone", "Asia/Tokyo" if wrong == "without a zone, times are in UTC" else "UTC"
    )
    if written == "PST":
        written = "Etc/GMT+8" if wrong == "PST is the zone of Los Angeles" else "America/Los_Angeles"
    if wrong == "times are in the zone of the rule":
        written = "UTC"
    fields = configuration["Cron"].upper().split()
    if wrong == "the first field is seconds":
        fields = [*fields[1:], "*"][:7]
        if "?" in fields[1] or fields[2] == "?":
            return
    fields = [*fields, "*"][:7]
    minutes, hours = numbers(fields[1], 0, 59, (), wrong), numbers(fields[2], 0, 23, (), wrong)
    ranges = list(runs({hour * 60 + minute for hour in hours for minute in minutes}))
    for day in days():
        if not on_day(day, fields, wrong):
            continue
        for start, end in ranges:
            late = 59 if wrong == "a minute lasts a minute" else 0
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock
            bounds = midnight + timedelta(minutes=start), midnight + timedelta(minutes=end + late)
            if written.startswith("UTC") and written != "UTC":
                yield tuple(instant(each) - offset(written) for each in bounds)  # type: ignore[misc]
            else:
                yield opened(*bounds, zone(written))


def offset(written: str) -> int:
    """The seconds of ``UTC+05:30``."""
    hours, minutes = map(int, written[4:].split(":"))
    return (hours * 3_600 + minutes * 60) * (-1 if written[3] == "-" else 1)


def on_day(day: date, fields: list[str], wrong: str | None) -> bool:
    of_month, month, of_week, year = fields[3:]
    if day.month not in numbers(month, 1, 12, MONTHS, wrong) and wrong != "the month limits the days":
        return False
    if (
        year != "*"
        and day.year not in numbers(year, 1970, 2199, (), wrong)
        and wrong != "the year limits the days"
    ):
        return False
    length = calendar.monthrange(day.year, day.month)[1]
    if of_month == "L":
        return day.day == (30 if wrong == "L is the last day of the month" else length)
    if of_month == "LW":
        last = date(day.year, day.month, length)
        while last.weekday() > 4 and wrong != "LW is the last day from Monday to Friday":
            last -= timedelta(days=1)
        return day == last
    if of_month != "?":
        return day.day in numbers(of_month, 1, 31, (), wrong)
    return on_weekday(day, of_week, length, wrong)


def on_weekday(day: date, field: str, length: int, wrong: str | None) -> bool:
    number = day.isoweekday() % 7 + (0 if wrong == "Sunday is 1" else 1)
    if field == "L":
        return number == (1 if wrong == "L alone is Saturday" else 7)
    if field.endswith("L"):
        wanted = numbers(field[:-1], 1, 7, NAMES, wrong)
        is_last = day.day + 7 > length or wrong == "L after a weekday is the last of the month"
        return number in wanted and is_last
    if "#" in field:
        named, nth = field.split("#")
        shifted = int(nth) + (wrong == "a number behind # is the nth of the month")
        return number in numbers(named, 1, 7, NAMES, wrong) and (day.day + 6) // 7 == shifted
    return number in numbers(field, 1, 7, NAMES, wrong)


@cache
def numbers(field: str, first: int, last: int, names: tuple[str, ...], wrong: str | None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        if body in ("*", "?"):
            low, high = first, last
        else:
            low_text, dash, high_text = body.partition("-")
            low = number_of(low_text, names, first)
            high = number_of(high_text, names, first) if dash else (last if step else low)
            if dash and wrong == "a range includes its end":
                high -= 1
        every = list(range(low, high + 1))
        if high < low and wrong != "a range may wrap":
            every = [*range(low, last + 1), *range(first, high + 1)]
        from_start = 0 if wrong != "a step counts from its start" else -low % int(step or 1)
        found |= set(every[from_start :: int(step or 1)])
    return found


def number_of(text: str, names: tuple[str, ...], first: int) -> int:
    return first + names.index(text) if text in names else int(text)


def runs(minutes: set[int]) -> Iterator[tuple[int, int]]:
    """Each stretch of minutes, up to its end."""
    for minute in sorted(minutes):
        if minute - 1 not in minutes:
            end = minute
            while end in minutes:
                end += 1
            yield minute, end


def zones_of(text: str) -> list[ZoneInfo]:
    """Zones whose clock changes matter to a text."""
    known = ("Europe/Berlin", "America/New_York", "America/Los_Angeles", "Europe/London", "Australia/Sydney")
    return [zone(each) for each in known if each in text or (each == "America/Los_Angeles" and "PST" in text)]
