"""How times are written in policies.yaml and in requests: one parser and one pydantic type for each.

The types appear in the window models, so the JSON Schema carries the same patterns that the parsers
read by. Every parser raises `MalformedValueError` with a sentence that says what is expected.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.wallclock import local_day, zone_names

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
_TIME_OF_DAY = re.compile(_TIME, re.ASCII)
_WEEK_TIME = re.compile(rf"({'|'.join(WEEKDAYS)}) +({_TIME})", re.ASCII)
_DATE_BOUND = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)(?:[ T]({_TIME}))?", re.ASCII)
_YEAR_BOUND = re.compile(rf"(\d\d)-(\d\d)(?: +({_TIME}))?", re.ASCII)
_DAYS = re.compile(rf"({'|'.join(WEEKDAYS)})(?:-({'|'.join(WEEKDAYS)}))?", re.ASCII)
_SHORT_DURATION = re.compile(r"(?=\d)(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_ISO_DURATION = re.compile(
    r"P(?=[\dT])(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII
)

MAX_DURATION: Final = 366 * DAY

LINE_PATTERN: Final = r"^\s*[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\s*$"
"""One line of text, shown within sentences: no control characters, and no line breaks but around it, where
the folded texts of YAML have one and where they are taken off."""


class WeekTime(NamedTuple):
    """A weekday (Monday is 0) and a time of day in seconds."""

    weekday: int
    time: int

    @property
    def offset(self) -> int:
        """Seconds on the wall clock since Monday 00:00."""
        return self.weekday * DAY + self.time


class DateBound(NamedTuple):
    """A calendar day (its number, see `wallclock`) and a time of day, or None for a bare date."""

    day: int
    time: int | None


class YearBound(NamedTuple):
    """A day of every year and a time of day in seconds, or None for a bare date."""

    month: int
    day: int
    time: int | None


def parse_time_of_day(text: str) -> int:
    """Read ``14:00`` or ``14:00:30``, the seconds since local midnight."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a time of day such as "14:00"')
    return int(match[1]) * HOUR + int(match[2]) * MINUTE + int(match[3] or 0)


def parse_end_of_day(text: str) -> int:
    """Read a time of day, ``24:00`` included."""
    return DAY if text in ("24:00", "24:00:00") else parse_time_of_day(text)


def parse_week_time(text: str) -> WeekTime:
    """Read ``fri 14:00``."""
    match = _WEEK_TIME.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a weekday and a time such as "fri 14:00"')
    return WeekTime(WEEKDAYS.index(match[1]), parse_time_of_day(match[2]))


def parse_days(text: str) -> tuple[int, ...]:
    """Read a weekday (``sat``) or a range of them (``mon-thu``; ``fri-mon`` wraps)."""
    match = _DAYS.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a weekday such as "sat" or a range such as "mon-thu"')
    first = WEEKDAYS.index(match[1])
    last = WEEKDAYS.index(match[2] or match[1])
    return tuple((first + step) % 7 for step in range((last - first) % 7 + 1))


def parse_date_bound(text: str) -> DateBound:
    """Read ``2026-12-11`` or ``2026-12-11 18:00``."""
    match = _DATE_BOUND.fullmatch(text)
    if match is None:
        raise MalformedValueError(
            'not a date (YYYY-MM-DD) such as "2026-12-31" or a local time such as "2026-12-31 18:00"'
        )
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise MalformedValueError("there is no such day in the calendar") from None
    return DateBound(local_day(day), parse_time_of_day(match[4]) if match[4] else None)


def parse_year_bound(text: str) -> YearBound:
    """Read ``12-20`` or ``12-20 18:00``: month, day and perhaps a time."""
    match = _YEAR_BOUND.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a month and day (MM-DD) such as "12-31" or "12-31 18:00"')
    month, day = int(match[1]), int(match[2])
    try:
        date(2000, month, day)  # a leap year: 02-29 is a day of the year
    except ValueError:
        raise MalformedValueError("there is no such day in any year; the form is MM-DD") from None
    return YearBound(month, day, parse_time_of_day(match[3]) if match[3] else None)


def parse_duration(text: str) -> int:
    """Read ``90s``, ``20m``, ``1h30m``, ``2d``, or ISO 8601 ``PT20M``: elapsed seconds.

    A day is 24 hours of elapsed time, whatever the wall clock does.
    """
    match = _SHORT_DURATION.fullmatch(text) or _ISO_DURATION.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a duration such as "20m", "1h30m", "2d" or "PT20M"')
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = days * DAY + hours * HOUR + minutes * MINUTE + seconds
    if total > MAX_DURATION:
        raise MalformedValueError("longer than 366 days")
    return total


def parse_positive_duration(text: str) -> int:
    """Read a duration that is longer than nothing."""
    total = parse_duration(text)
    if total == 0:
        raise MalformedValueError("a duration must be longer than nothing")
    return total


def parse_zone_name(text: str) -> str:
    """Check a time zone's name: exactly as the IANA database writes it."""
    if text not in zone_names():
        raise MalformedValueError("not an IANA time zone such as Europe/Amsterdam")
    return text


def format_time_of_day(seconds: int) -> str:
    """Write seconds since midnight as ``14:00``, with the seconds only where there are any."""
    hours, rest = divmod(seconds, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    return f"{hours:02}:{minutes:02}" + (f":{rest:02}" if rest else "")


def format_duration(seconds: int) -> str:
    """Write elapsed seconds as they are read: ``1d12h``."""
    days, rest = divmod(seconds, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _written(parse: Callable[[str], object]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise MalformedValueError(f"expected a text, not {_kind_of(value)}; write it in quotes")
        return parse(value)

    return BeforeValidator(validate)


def _kind_of(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return names.get(type(value), "nothing" if value is None else "that")


def _schema(pattern: re.Pattern[str], example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern.pattern})$", "examples": [example]})


TimeOfDay = Annotated[int, _written(parse_time_of_day), _schema(_TIME_OF_DAY, "14:00")]
EndOfDay = Annotated[
    int,
    _written(parse_end_of_day),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_TIME}|24:00(?::00)?)$", "examples": ["24:00"]}),
]
WeekTimeText = Annotated[WeekTime, _written(parse_week_time), _schema(_WEEK_TIME, "fri 14:00")]
Weekdays = Annotated[tuple[int, ...], _written(parse_days), _schema(_DAYS, "mon-thu")]
DateBoundText = Annotated[DateBound, _written(parse_date_bound), _schema(_DATE_BOUND, "2026-12-11 18:00")]
YearBoundText = Annotated[YearBound, _written(parse_year_bound), _schema(_YEAR_BOUND, "12-20 18:00")]
Duration = Annotated[
    int,
    _written(parse_positive_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(?:{_SHORT_DURATION.pattern}|{_ISO_DURATION.pattern})$",
            "examples": ["66h", "2d", "PT20M"],
        }
    ),
]
ZoneName = Annotated[
    str, _written(parse_zone_name), WithJsonSchema({"type": "string", "examples": ["Europe/Amsterdam"]})
]
