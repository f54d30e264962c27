"""Cron expressions as GitLab reads them: by the Ruby gem fugit.

Unlike in Debian's cron, ranges wrap, 24 is an hour, days of the month count from the end, and ``fri#2`` or
``fri#-1`` are weekdays of a month.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.wallclock import calendar_date, local_day
from app.policies.importers.recurring import Firings
from app.yaml.problem import quoted

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ITEM: Final = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", re.ASCII)
_NTH: Final = re.compile(r"(\w+)#(-?[1-5]|l|last)", re.ASCII)
_FROM_END: Final = re.compile(r"-(\d{1,2})", re.ASCII)
_LAST: Final = ("l", "last")
_DAYS: Final = range(local_day(date(2026, 1, 1)), local_day(date(2035, 1, 1)))
"""Days on which an expression must fire at least once."""


class _Bounds(NamedTuple):
    field: str
    first: int
    last: int
    names: Mapping[str, int]


_MINUTE: Final = _Bounds("minute", 0, 59, {})
_HOUR: Final = _Bounds("hour", 0, 23, {})
_MONTH_DAY: Final = _Bounds("day of month", 1, 31, {})
_MONTH: Final = _Bounds("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
_WEEKDAY: Final = _Bounds("day of week", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)})


def read_fugit(text: str) -> Firings:
    """Parse an expression.

    Raises:
        MalformedValueError: GitLab refuses it, or it can't be expressed.
    """
    parts = text.lower().split()
    try:
        found = _read(parts)
    except MalformedValueError as error:
        raise MalformedValueError(f"{quoted(text)}: {error}") from None
    if not any(map(found.fires_on, map(calendar_date, _DAYS))):
        raise MalformedValueError(f"{quoted(text)} never fires")
    return found


def _fields(parts: list[str]) -> list[str]:
    """Return the five fields of an expression; seconds before them are zero."""
    if parts and "/" in parts[-1] and parts[-1][0].isalpha():
        raise MalformedValueError("the zone belongs into cron_timezone")
    if len(parts) == 6 and parts[0] in ("0", "00"):  # noqa: PLR2004 - five fields after the seconds
        parts = parts[1:]
    if len(parts) != 5:  # noqa: PLR2004 - the fields of cron
        raise MalformedValueError("not five fields; the zone belongs into cron_timezone")
    return parts


def _read(parts: list[str]) -> Firings:
    minute, hour, month_day, month, weekday = _fields(parts)
    minutes, hours, months = (
        _numbers(field, bounds) for field, bounds in ((minute, _MINUTE), (hour, _HOUR), (month, _MONTH))
    )
    weekdays, nth = _weekdays(weekday)
    return Firings(
        minutes or frozenset(range(60)),
        hours or frozenset(range(24)),
        _month_days(month_day),
        months or frozenset(range(1, 13)),
        weekdays,
        nth,
    )


def _month_days(field: str) -> frozenset[int] | None:
    """Return days of the month, those from its end negative; None for a star."""
    found: set[int] = set()
    for item in field.split(","):
        from_end = _FROM_END.fullmatch(item)
        if item in _LAST or from_end:
            number = int(from_end[1]) if from_end else 1
            if not 1 <= number <= _MONTH_DAY.last:
                raise MalformedValueError(f"{quoted(item)} is no day of month")
            found.add(-number)
            continue
        numbers = _item(item, _MONTH_DAY)
        if numbers is None:
            return None
        found |= numbers
    return frozenset(found)


def _weekdays(field: str) -> tuple[frozenset[int] | None, frozenset[tuple[int, int]]]:
    """Return weekdays and n-th weekdays of a month; None and nothing for a star."""
    found: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in field.split(","):
        if "%" in item:
            raise MalformedValueError(
                f"{quoted(item)} counts weeks from one of 2019; write a weekly window with every and starting"
            )
        if match := _NTH.fullmatch(item):
            nth.add((_number(match[1], _WEEKDAY), -1 if match[2] in _LAST else int(match[2])))
            continue
        if item == "*" == field:
            return None, frozenset()
        if ("*" in item and "," in field) or re.fullmatch(r"\w+/\d+", item):
            raise MalformedValueError(
                f"{quoted(field)}: fugit drops stars from lists of weekdays, and such steps"
            )
        found |= _item(item, _WEEKDAY) or set(
            range(7)
        )  # */1 restricts: with a day of month, either is enough
    return (frozenset(found) if found or not nth else None), frozenset(nth)


def _numbers(field: str, bounds: _Bounds) -> frozenset[int] | None:
    """Return the numbers of a field; None for a star."""
    found: set[int] = set()
    for item in field.split(","):
        numbers = _item(item, bounds)
        if numbers is None:
            return None
        found |= numbers
    return frozenset(found)


def _item(item: str, bounds: _Bounds) -> set[int] | None:
    """Return the numbers of one item of a list; None for a star."""
    match = _ITEM.fullmatch(item)
    if match is None or (match[1] == "*" and match[2]):
        raise MalformedValueError(f"{quoted(item)} is no {bounds.field}")
    step = int(match[3] or 1)
    if step == 0:
        raise MalformedValueError(f"{quoted(item)} has a step of nothing")
    if match[1] == "*":
        return None if step == 1 else set(range(bounds.first, bounds.last + 1, step))
    first = _number(match[1], bounds)
    last = _number(match[2], bounds) if match[2] else bounds.last if step > 1 else first
    if first <= last:
        return set(range(first, last + 1, step))
    if step > 1:
        raise MalformedValueError(f"{quoted(item)}: fugit counts steps of a range that wraps in its own way")
    return {*range(first, bounds.last + 1), *range(bounds.first, last + 1)}


def _number(text: str, bounds: _Bounds) -> int:
    if text in bounds.names:
        return bounds.names[text]
    number = int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else -1
    if bounds in (_HOUR, _WEEKDAY) and number == bounds.last + 1:
        return 0
    if not bounds.first <= number <= bounds.last:
        raise MalformedValueError(f"{quoted(text)} is no {bounds.field}")
    return number
