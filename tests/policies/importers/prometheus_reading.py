"""Alertmanager's rules for time intervals, read once more: slow, obvious, without any code of the product.

The files of the comparison are here, too: some written by hand, the others from a seed.
"""

import calendar
import random
from datetime import datetime
from typing import Any

import yaml

from tests.policies.importers.differential import (
    Case,
    Intervals,
    flat,
    from_wall,
    outside,
    union,
    wall_days,
    wall_seconds,
)

MUTATIONS = (
    "the end of a time is included",
    "weekdays begin on Monday",
    "a range leaves its end out",
    "negative days count from the start",
    "days past the end of the month wrap",
    "months begin at 0",
    "years are ignored",
    "fields are joined by or",
    "entries are joined by and",
    "the zone is ignored",
    "active means muted",
    "an empty field is never",
)

_WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_MONTHS = [calendar.month_name[month].lower() for month in range(1, 13)]


def reading(case: Case, question: tuple[str, str], mutation: str | None) -> Intervals:
    """Return when notifications are muted."""
    data = yaml.load(case.text, yaml.BaseLoader)  # noqa: S506 - texts only
    named = {
        each["name"]: _named(each["time_intervals"], mutation)
        for key in ("time_intervals", "mute_time_intervals")
        for each in data.get(key, [])
    }
    muting, active = _routes(data.get("route", {}))
    closed = [
        outside(flat(named[name] for name in names))
        for names in active
        if not any(name in muting for name in names)
    ]
    only_active = {name for names in active for name in names} - muting
    muted = [intervals for name, intervals in named.items() if name not in only_active]
    if mutation == "active means muted":
        return union(flat(named.values()))
    return union([*flat(muted), *flat(closed)])


def _routes(route: Any) -> tuple[set[str], list[list[str]]]:
    muting = set(route.get("mute_time_intervals", []))
    active = [route["active_time_intervals"]] if "active_time_intervals" in route else []
    for each in route.get("routes", []):
        more_muting, more_active = _routes(each)
        muting |= more_muting
        active += more_active
    return muting, active


def _named(entries: list[Any], mutation: str | None) -> Intervals:
    found = [_entry(each, mutation) for each in entries]
    if mutation == "entries are joined by and":
        return outside(flat(outside(each) for each in found))
    return union(flat(found))


def _entry(entry: Any, mutation: str | None) -> Intervals:
    wall = []
    for day in wall_days():
        length = calendar.monthrange(day.year, day.month)[1]
        checks = [
            _in(
                entry,
                "weekdays",
                (day.weekday() if mutation == "weekdays begin on Monday" else day.isoweekday() % 7),
                _WEEKDAYS.index,
                mutation,
            ),
            _in_days(entry, day, length, mutation),
            _in(
                entry,
                "months",
                day.month - (mutation == "months begin at 0"),
                lambda text: _MONTHS.index(text) + 1 if text in _MONTHS else int(text),
                mutation,
            ),
            mutation == "years are ignored" or _in(entry, "years", day.year, int, mutation),
        ]
        given = [key for key in ("weekdays", "days_of_month", "months", "years") if key in entry]
        is_in = all(checks)
        if mutation == "fields are joined by or" and given:
            fields = dict(zip(("weekdays", "days_of_month", "months", "years"), checks, strict=True))
            is_in = any(fields[key] for key in given)
        if is_in:
            start = wall_seconds(day)
            wall += [(start + first, start + last) for first, last in _times(entry, mutation)]
    return union(wall) if mutation == "the zone is ignored" else from_wall(wall, entry.get("location", "UTC"))


def _times(entry: Any, mutation: str | None) -> list[tuple[int, int]]:
    found = []
    for each in entry.get("times", [{"start_time": "00:00", "end_time": "24:00"}]):
        start, end = (
            int(each[key][:2]) * 3600 + int(each[key][3:]) * 60 for key in ("start_time", "end_time")
        )
        found.append((start, end + 60 * (mutation == "the end of a time is included")))
    return found


def _in(entry: Any, key: str, value: int, number: Any, mutation: str | None) -> bool:
    if key not in entry:
        return mutation != "an empty field is never"
    for each in entry[key]:
        first, colon, last = each.lower().partition(":")
        end = number(last) if colon else number(first)
        if number(first) <= value <= end - (mutation == "a range leaves its end out" and bool(colon)):
            return True
    return False


def _in_days(entry: Any, day: datetime, length: int, mutation: str | None) -> bool:
    if "days_of_month" not in entry:
        return mutation != "an empty field is never"
    for each in entry["days_of_month"]:
        first, colon, last = each.partition(":")
        begin, end = int(first), int(last) if colon else int(first)
        if mutation == "negative days count from the start":
            begin, end = sorted((abs(begin), abs(end)))
        begin, end = (number + length + 1 if number < 0 else number for number in (begin, end))
        if begin <= day.day <= end or (
            mutation == "days past the end of the month wrap" and end - length >= day.day
        ):
            return True
    return False


def config(route: Any = None, **named: Any) -> str:
    intervals = [{"name": name, "time_intervals": entries} for name, entries in named.items()]
    return yaml.safe_dump({"route": route or {"receiver": "x"}, "time_intervals": intervals}, sort_keys=False)


def times(*pairs: str) -> list[dict[str, str]]:
    return [dict(zip(("start_time", "end_time"), each.split("-"), strict=True)) for each in pairs]


AMS, NYC, SANTIAGO = "Europe/Amsterdam", "America/New_York", "America/Santiago"

WRITTEN = [
    Case(
        config(
            offhours=[{"weekdays": ["saturday", "sunday"]}, {"times": times("00:00-08:00", "18:00-24:00")}]
        )
    ),
    Case(config(nights=[{"times": times("01:30-02:30", "02:00-03:00"), "location": AMS}])),
    Case(config(nights=[{"times": times("02:00-24:00"), "weekdays": ["sunday"], "location": NYC}])),
    Case(
        config(start=[{"days_of_month": ["1:5"], "months": ["january", "4", "7:10"], "location": SANTIAGO}])
    ),
    Case(config(end=[{"days_of_month": ["20:31"], "months": ["December"], "years": ["2026:2028", "2030"]}])),
    Case(
        config(
            mid=[
                {
                    "days_of_month": ["10:20", "31"],
                    "weekdays": ["monday:friday"],
                    "times": times("09:00-17:00"),
                }
            ]
        )
    ),
    Case(config(half=[{"months": ["february:march"], "times": times("12:00-24:00"), "location": AMS}])),
    Case(
        config(
            {"receiver": "x", "routes": [{"active_time_intervals": ["hours", "saturdays"]}]},
            hours=[{"weekdays": ["Monday:Friday"], "times": times("09:00-17:00"), "location": NYC}],
            saturdays=[{"weekdays": ["saturday"], "times": times("10:00-12:00"), "location": NYC}],
            nights=[{"times": times("00:00-06:00"), "location": AMS}],
        )
    ),
    Case(config(always=[{}])),
    Case(
        config(
            last=[
                {
                    "days_of_month": ["-3:-1"],
                    "months": ["march", "6", "9", "12"],
                    "times": times("16:00-24:00"),
                }
            ]
        )
    ),
    Case(config(last=[{"days_of_month": ["15:-2"], "weekdays": ["monday:thursday"], "location": AMS}])),
    Case(
        "mute_time_intervals:\n- name: x\n  time_intervals: [{weekdays: [sunday], location: Asia/Beirut}]\n"
    ),
]


def generated(number: int) -> Case:
    """Return a file from a seed."""
    generator = random.Random(number)
    entries = []
    for _ in range(generator.randint(1, 4)):
        entry: dict[str, Any] = {}
        if generator.random() < 0.7:
            first = generator.randint(0, 22)
            last = generator.randint(first + 1, 24)
            entry["times"] = times(
                f"{first:02}:{generator.choice(['00', '30'])}-{last:02}:{'00' if last > 22 else '45'}"
            )
        if generator.random() < 0.6:
            low, high = sorted((generator.randint(0, 6), generator.randint(0, 6)))
            entry["weekdays"] = [f"{_WEEKDAYS[low]}:{_WEEKDAYS[high]}", generator.choice(_WEEKDAYS)]
        if generator.random() < 0.5:
            entry["days_of_month"] = generator.choice(DAYS)
        if generator.random() < 0.4:
            entry["months"] = generator.choice([["3", "october:november"], ["january:june"], ["12"]])
        if generator.random() < 0.3:
            entry["years"] = generator.choice([["2027"], ["2026:2027", "2029"]])
        entry["location"] = generator.choice(
            [AMS, NYC, SANTIAGO, "UTC", "Australia/Lord_Howe", "Africa/Casablanca"]
        )
        entries.append(entry)
    return Case(config(named=entries))


DAYS = [["1"], ["1:7", "15"], ["29:31"], ["31"], ["10:20"], ["-1"], ["-7:-1"], ["10:-3", "1"], ["-31:-5"]]

CASES = [*WRITTEN, *(generated(number) for number in range(14))]
