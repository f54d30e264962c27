"""Cron expressions and durations as Argo CD reads them: by robfig/cron v3 and Go's time package.

Unlike in Debian's cron, a star with a step restricts the day, 7 is no Sunday, and shorthands aren't read.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.wallclock import calendar_date, local_day
from app.policies.importers.recurring import Firings
from app.yaml.problem import quoted

_NAMES: Final = re.compile(r"[A-Za-z]+")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WEEKDAYS: Final = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
_UNITS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""Units of a duration, in milliseconds; smaller ones are cut off."""

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ms|us|µs|μs|ns|h|m|s)", re.ASCII)
_PART: Final = re.compile(r"(\d*)\.?(\d*)(\D+)", re.ASCII)
_LONGEST: Final = 366 * 86_400
_CYCLE: Final = range(local_day(date(2026, 1, 1)), local_day(date(2031, 1, 1)))
"""Argo CD searches for the next firing five years ahead."""


class _Bounds(NamedTuple):
    field: str
    first: int
    last: int
    names: Mapping[str, int]


_FIELDS: Final = (
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day of month", 1, 31, {}),
    _Bounds("month", 1, 12, _MONTHS),
    _Bounds("day of week", 0, 6, _WEEKDAYS),
)


def read_schedule(text: str) -> Firings:
    """Parse an expression.

    Raises:
        MalformedValueError: Argo CD refuses it, or it never fires.
    """
    try:
        parts = _parts(text)
        (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = (
            _field(part, bounds) for part, bounds in zip(parts, _FIELDS, strict=True)
        )
    except MalformedValueError as error:
        raise MalformedValueError(f"schedule {quoted(text)}: {error}") from None
    found = Firings(minutes, hours, None if any_day else days, months, None if any_weekday else weekdays)
    if not any(map(found.fires_on, map(calendar_date, _CYCLE))):
        raise MalformedValueError(
            f"schedule {quoted(text)} never fires; Argo CD takes such a window for active at all times"
        )
    return found


def _parts(text: str) -> list[str]:
    """Return the five fields of an expression."""
    if text.startswith("@"):
        raise MalformedValueError("Argo CD reads no shorthands such as @daily")
    if text.startswith(("TZ=", "CRON_TZ=")):
        raise MalformedValueError("the zone belongs into timeZone")
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise MalformedValueError("not five fields")
    return parts


def _field(text: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """Return the numbers of a field, and whether a star in it restricts nothing."""
    numbers: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        found, is_star = _range(part, bounds)
        numbers.update(found)
        star |= is_star
    if not numbers:
        raise MalformedValueError(f"the {bounds.field} is empty")
    return frozenset(numbers), star


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, *steps = text.split("/")
    low, *highs = span.split("-")
    if len(steps) > 1 or len(highs) > 1:
        raise MalformedValueError(f"{quoted(text)} is no {bounds.field}")
    step = _number(steps[0], bounds._replace(names={})) if steps else 1
    if low in ("*", "?"):
        first, last = bounds.first, bounds.last
    else:
        first = _number(low, bounds)
        last = _number(highs[0], bounds) if highs else bounds.last if steps else first
    if step == 0 or first > last or first < bounds.first or last > bounds.last:
        raise MalformedValueError(f"{quoted(text)} is no {bounds.field}")
    return range(first, last + 1, step), low in ("*", "?") and step == 1


def _number(text: str, bounds: _Bounds) -> int:
    if text.lower() in bounds.names:
        return bounds.names[text.lower()]
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII):
        raise MalformedValueError(f"{quoted(text)} is no {bounds.field}")
    return int(text)


def read_duration(text: str) -> int:
    """Parse a duration of Go, such as ``1h30m``, in seconds.

    Raises:
        MalformedValueError: Argo CD refuses it, or it is not longer than nothing.
    """
    parts = _DURATION.findall(text)
    if "".join(parts) != text or not text:
        raise MalformedValueError(
            f"duration {quoted(text)} is not a duration of Go such as 1h30m; days are 24h"
        )
    milliseconds = 0
    for part in parts:
        [(whole, fraction, unit)] = _PART.findall(part)
        size = _UNITS.get(unit, 0)
        milliseconds += int(whole or 0) * size + int(fraction or 0) * size // 10 ** len(fraction)
    if milliseconds % 1000 or not 0 < milliseconds <= _LONGEST * 1000:
        raise MalformedValueError(
            f"duration {quoted(text)}: windows last whole seconds, more than none and at most 366 days"
        )
    return milliseconds // 1000
