"""Argo CD's rules for sync windows, read once more: slow, obvious, without any code of the product.

The files of the comparison are here, too: some written by hand, the others from a seed.
"""

import random
import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import yaml

from app.policies.importers.imported import ImportOptions
from tests.policies.importers.differential import (
    NOW,
    Case,
    Intervals,
    flat,
    from_wall,
    outside,
    union,
    wall_days,
    wall_seconds,
    zone_info,
)

MUTATIONS = (
    "a star with a step restricts nothing",
    "both days must match",
    "either day matches a star",
    "weekdays begin on Monday",
    "allow beats deny",
    "all allow windows must be open",
    "no allow window open means open",
    "selectors are joined by and",
    "andOperator is ignored",
    "the duration is elapsed time",
    "the zone is ignored",
    "the zone is fixed to winter",
    "fractions of an hour are cut off",
    "patterns match exactly",
)

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def reading(case: Case, question: tuple[str, str], mutation: str | None) -> Intervals:
    """Return when a service may not be synced to an environment (a cluster is named like its environment)."""
    deny: Intervals = []
    allow: list[Intervals] = []
    for document in yaml.safe_load_all(case.text):
        for project in document.get("items", [document]):
            for window in project["spec"].get("syncWindows") or []:
                if _matches(window, *question, mutation):
                    if window["kind"] == "deny":
                        deny += _active(window, mutation)
                    else:
                        allow.append(_active(window, mutation))
    closed = [outside(flat(allow))] if allow else []
    if mutation == "all allow windows must be open":
        closed = [outside(each) for each in allow]
    if mutation == "no allow window open means open":
        closed = []
    if mutation == "allow beats deny":
        return outside([*outside(union(deny)), *flat(allow)]) if deny else union(flat(closed))
    return union([*deny, *flat(closed)])


def _matches(window: dict[str, Any], service: str, environment: str, mutation: str | None) -> bool:
    found = []
    for field, name in (("applications", service), ("namespaces", environment), ("clusters", environment)):
        patterns = window.get(field) or []
        if mutation == "patterns match exactly":
            patterns = [each for each in patterns if "*" not in each or each == "*"]
            found += [name in patterns or "*" in patterns] if window.get(field) else []
        elif patterns:
            found.append(any(fnmatchcase(name, each) for each in patterns))
    use_and = bool(window.get("andOperator"))
    if mutation == "selectors are joined by and":
        use_and = True
    if mutation == "andOperator is ignored":
        use_and = False
    return all(found) if use_and else any(found)


def _active(window: dict[str, Any], mutation: str | None) -> Intervals:
    length = _duration(window["duration"], mutation)
    zone = window.get("timeZone") or "UTC"
    wall = [(at, at + length) for at in _firings(window["schedule"], mutation)]
    if mutation == "the zone is ignored":
        return union(wall)
    if mutation == "the zone is fixed to winter":
        return union((start - _winter(zone), end - _winter(zone)) for start, end in wall)
    if mutation == "the duration is elapsed time":
        starts = from_wall([(start, start + 1) for start, _ in wall], zone)
        return union((start, start + length) for start, _ in starts)
    return from_wall(wall, zone)


def _winter(zone: str) -> int:
    found = datetime(2027, 1, 10, tzinfo=zone_info(zone)).utcoffset()
    assert found is not None
    return int(found.total_seconds())


def _duration(text: str, mutation: str | None) -> int:
    hours = 0.0
    for number, unit in re.findall(r"([\d.]+)(h|m|s)", text):
        hours += float(number) / {"h": 1, "m": 60, "s": 3600}[unit]
    return int(hours) * 3600 if mutation == "fractions of an hour are cut off" else round(hours * 3600)


def _firings(schedule: str, mutation: str | None) -> list[int]:
    minutes, hours, days, months, weekdays = schedule.lower().split()
    any_day, any_weekday = _is_star(days, mutation), _is_star(weekdays, mutation)
    chosen_days, chosen_weekdays = _numbers(days, 1, 31), _numbers(weekdays, 0, 6, _DAYS)
    chosen_months = _numbers(months, 1, 12, _MONTHS, 1)
    times = [h * 60 + m for h in _numbers(hours, 0, 23) for m in _numbers(minutes, 0, 59)]
    found = []
    for day in wall_days():
        number = day.weekday() if mutation == "weekdays begin on Monday" else day.isoweekday() % 7
        by_day, by_weekday = day.day in chosen_days, number in chosen_weekdays
        both = any_day or any_weekday or mutation == "both days must match"
        if mutation == "either day matches a star":
            both = any_day and any_weekday
        if day.month in chosen_months and (by_day and by_weekday if both else by_day or by_weekday):
            found += [wall_seconds(day) + 60 * time for time in times]
    return found


def _is_star(field: str, mutation: str | None) -> bool:
    if mutation == "a star with a step restricts nothing":
        return "*" in field or "?" in field
    return any(part in ("*", "?", "*/1", "?/1") for part in field.split(","))


def _numbers(field: str, low: int, high: int, names: list[str] | None = None, base: int = 0) -> set[int]:
    def number(text: str) -> int:
        return names.index(text) + base if names and text in names else int(text)

    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first in ("*", "?"):
            bounds = (low, high)
        else:
            bounds = (number(first), number(last) if dash else high if step else number(first))
        found.update(range(bounds[0], bounds[1] + 1, int(step or 1)))
    return found


def project(windows: str, name: str = "shop") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}}}\n"
        f"spec:\n  syncWindows:\n{windows}"
    )


def window(kind: str, schedule: str, duration: str, **keys: Any) -> str:
    keys = {"applications": ["*"], **keys}
    entry = {"kind": kind, "schedule": schedule, "duration": duration, **keys}
    return f"    - {yaml.safe_dump(entry, default_flow_style=True, width=9999).strip()}\n"


AMS, NYC, LORD_HOWE = "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"
MAPPED = ImportOptions(
    NOW,
    ("production", "staging"),
    mapped={
        "clusters/production": ("environments", "production"),
        "clusters/staging": ("environments", "staging"),
        "namespaces/production": ("environments", "production"),
    },
)
BOTH = (("api", "production"), ("api", "staging"), ("web-eu", "production"), ("web-eu", "staging"))

WRITTEN = [
    Case(project(window("deny", "0 18 * * 5", "62h", timeZone=AMS))),
    Case(project(window("deny", "0 0 */2 * 1", "24h", timeZone=AMS))),
    Case(project(window("deny", "0 0 1-7 * 1", "24h") + window("deny", "30 2 * * *", "1h30m", timeZone=AMS))),
    Case(
        project(window("allow", "0 9 * * mon-fri", "8h", timeZone=NYC) + window("deny", "0 12 * * *", "1h"))
    ),
    Case(
        project(
            window("allow", "0 9 * * 1-5", "8h")
            + window("allow", "0 20 * * *", "90m", applications=["web-*"])
            + window("allow", "15 3 1 * ?", "45m", applications=["web-eu"])
        ),
        (("api", "production"), ("web-eu", "production"), ("web-us", "production")),
    ),
    Case(
        project(
            window(
                "deny", "0 0 20 12 *", "336h", applications=["web-*"], clusters=["production"], timeZone=AMS
            )
            + window(
                "deny", "0 1 * * */2", "30h", applications=["web-*"], clusters=["staging"], andOperator=True
            )
            + window("allow", "0 6 * * *", "12h", applications=[], clusters=["production"])
            + window("allow", "0 12 * * *", "9h", applications=["*"], namespaces=["production"])
        ),
        BOTH,
        MAPPED,
    ),
    Case(project(window("deny", "0 22 28-31 * *", "30h", timeZone=LORD_HOWE))),
    Case(project(window("deny", "*/20 22-23 * jan,jul *", "10m", timeZone="America/Havana"))),
    Case(project(window("deny", "0 0 29 2 *", "48h") + window("deny", "0 12 31 * *", "49h", timeZone=AMS))),
    Case(
        project(
            window("deny", "45 1 * * 0", "2h", timeZone=AMS) + window("deny", "0 2 * * 0", "1h", timeZone=NYC)
        )
    ),
]


DAY_FIELDS = [
    *[("*", "*"), ("*", "1-5"), ("*", "fri"), ("*", "0,6"), ("1", "*"), ("*/5", "*"), ("*/2", "3")],
    *[("13", "5"), ("?", "MON"), ("1-7", "2"), ("15,28", "*"), ("*/1", "2"), ("31", "*")],
]


def generated(number: int) -> Case:
    """Return a file from a seed."""
    generator = random.Random(number)
    applications = [["*"], ["api"], ["web-*"], ["web-eu", "api"]]
    windows = ""
    allow_zone = generator.choice([AMS, NYC, "UTC", "Africa/Casablanca", "America/Santiago"])
    for _ in range(generator.randint(1, 4)):
        kind = generator.choice(["deny", "deny", "allow"])
        keys: dict[str, Any] = {"applications": generator.choice(applications)}
        if generator.random() < 0.4:
            keys["clusters"] = [generator.choice(["production", "staging"])]
            keys["andOperator"] = generator.random() < 0.5
        if generator.random() < 0.8:
            keys["timeZone"] = (
                allow_zone if kind == "allow" else generator.choice([AMS, NYC, LORD_HOWE, "Asia/Beirut"])
            )
        if kind == "allow":
            keys["timeZone"] = allow_zone
        windows += window(kind, _schedule(generator), _length(generator), **keys)
    return Case(project(windows), BOTH, MAPPED)


def _schedule(generator: random.Random) -> str:
    minute = generator.choice(["0", "30", "15,45", "59"])
    hour = generator.choice(["0", "1", "2", "9", "18", "23", "8-10", "*/6"])
    days, weekdays = generator.choice(DAY_FIELDS)
    months = generator.choice(["*", "*", "*", "12", "3,10", "nov-dec"])
    return f"{minute} {hour} {days} {months} {weekdays}"


def _length(generator: random.Random) -> str:
    return generator.choice(["30m", "1h", "2h30m", "8h", "1.5h", "24h", "23h59m", "12h", "20h"])


CASES = [*WRITTEN, *(generated(number) for number in range(15))]
