"""Recurrence rules (RFC 5545, section 3.3.10) that the fields of a cron expression can say."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.wallclock import calendar_date, local_day
from app.policies.importers.recurring import MONTHS, Firings
from app.yaml.problem import quoted

_PARTS: Final = (
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYMONTHDAY",
    "BYMONTH",
    "BYHOUR",
    "BYMINUTE",
    "WKST",
)
_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_BY_DAY: Final = re.compile(rf"([+-]?[1-5])?({'|'.join(_DAYS)})", re.ASCII)
_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d))?(Z)?", re.ASCII)


class Rule(NamedTuple):
    """A recurrence: when it fires, every how many weeks, and when it ends."""

    firings: Firings
    weeks: int
    """The interval of a weekly rule; 1 for all others."""
    times: int | None
    until: str | None
    """The date-time, as written."""


def read_rrule(text: str, start: int) -> Rule:
    """Parse a rule.

    Args:
        text: the rule, with or without ``RRULE:`` before it.
        start: the local time at which the first occurrence begins.

    Raises:
        MalformedValueError: it is invalid, or no cron expression can say it.
    """
    parts = _parts(text)
    frequency, interval = parts.get("FREQ", ""), _number(parts, "INTERVAL", 1)
    if frequency not in _FREQUENCIES:
        raise MalformedValueError(f"rrule {quoted(text)}: FREQ is none of {', '.join(_FREQUENCIES)}")
    if interval != 1 and frequency != "WEEKLY":
        raise MalformedValueError(f"rrule {quoted(text)}: only weekly rules may have an INTERVAL")
    if "COUNT" in parts and "UNTIL" in parts:
        raise MalformedValueError(f"rrule {quoted(text)}: COUNT and UNTIL exclude each other")
    count = _number(parts, "COUNT", 0) if "COUNT" in parts else None
    firings = _firings(text, parts, frequency, start)
    return Rule(firings, interval, count, parts.get("UNTIL"))


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";"):
        key, equals, value = part.partition("=")
        if key not in _PARTS or not equals or key in parts:
            raise MalformedValueError(f"rrule {quoted(text)}: {quoted(part)} is not read")
        parts[key] = value
    return parts


def _firings(text: str, parts: Mapping[str, str], frequency: str, start: int) -> Firings:
    first = calendar_date(start // DAY)
    months = frozenset(_numbers(parts, "BYMONTH", 1, 12)) or MONTHS
    month_days = frozenset(_month_days(parts))
    weekdays, nth = _by_day(text, parts, frequency)
    if month_days and (weekdays or nth):
        raise MalformedValueError(f"rrule {quoted(text)}: BYDAY and BYMONTHDAY together have no equal")
    if not (month_days or weekdays or nth):  # the day of the start stands for those left out
        if frequency == "WEEKLY":
            weekdays = frozenset({first.isoweekday() % 7})
        elif frequency != "DAILY":
            month_days = frozenset({first.day})
            months = months if frequency == "MONTHLY" or "BYMONTH" in parts else frozenset({first.month})
    return Firings(
        frozenset(_numbers(parts, "BYMINUTE", 0, 59)) or frozenset({start % HOUR // MINUTE}),
        frozenset(_numbers(parts, "BYHOUR", 0, 23)) or frozenset({start % DAY // HOUR}),
        month_days or None,
        months,
        weekdays or None,
        nth,
    )


def _by_day(
    text: str, parts: Mapping[str, str], frequency: str
) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    """Return weekdays, and n-th weekdays of a month."""
    weekdays, nth = set(), set()
    for each in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        match = _BY_DAY.fullmatch(each)
        if match is None:
            raise MalformedValueError(f"rrule {quoted(text)}: {quoted(each)} is no day")
        if match[1] is None:
            weekdays.add(_DAYS.index(match[2]))
        elif frequency == "MONTHLY" or (frequency == "YEARLY" and "BYMONTH" in parts):
            nth.add((_DAYS.index(match[2]), int(match[1])))
        else:
            raise MalformedValueError(f"rrule {quoted(text)}: {quoted(each)} counts weekdays of no month")
    return frozenset(weekdays), frozenset(nth)


def _month_days(parts: Mapping[str, str]) -> list[int]:
    days = _numbers(parts, "BYMONTHDAY", -31, 31)
    if 0 in days:
        raise MalformedValueError("BYMONTHDAY: there is no day 0")
    return days


def _numbers(parts: Mapping[str, str], key: str, low: int, high: int) -> list[int]:
    if key not in parts:
        return []
    found = []
    for each in parts[key].split(","):
        if not re.fullmatch(r"[+-]?\d{1,2}", each, re.ASCII) or not low <= int(each) <= high:
            raise MalformedValueError(f"{key}: {quoted(each)} is not from {low} to {high}")
        found.append(int(each))
    return found


def _number(parts: Mapping[str, str], key: str, default: int) -> int:
    text = parts.get(key, str(default))
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or (key in parts and int(text) < 1):
        raise MalformedValueError(f"{key}: {quoted(text)} is no number above 0")
    return int(text)


def read_local_time(text: str) -> tuple[int, bool]:
    """Read ``20260101T090000`` or ``20260101T090000Z``; return the time shown, and whether it is UTC.

    Raises:
        MalformedValueError: it is neither.
    """
    match = _TIME.fullmatch(text)
    year, month, day, hour, minute, second = (
        (int(part or 0) for part in match.groups()[:6]) if match else [0] * 6
    )
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - a wall clock has no zone
    except ValueError:
        raise MalformedValueError(f"{quoted(text)} is not a date-time such as 20260101T090000") from None
    seconds = local.hour * HOUR + local.minute * MINUTE + local.second
    return local_day(local.date()) * DAY + seconds, text.endswith("Z")
