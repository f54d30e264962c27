"""Parse and format the times of policies.yaml, of requests and of messages.

Every parser raises `MalformedValueError` with a sentence that says what is expected. The pydantic types are
in `field_types`, so that client commands don't load pydantic to parse a duration.
"""

import re
from datetime import date
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.wallclock import local_day, zone_names

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TIME = r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
TIME_OF_DAY = re.compile(TIME, re.ASCII)
WEEK_TIME = re.compile(rf"({'|'.join(WEEKDAYS)}) +({TIME})", re.ASCII)
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
DATE_BOUND = re.compile(rf"{DATE.pattern}(?:[ T]({TIME}))?", re.ASCII)
YEAR_BOUND = re.compile(rf"(\d\d)-(\d\d)(?: +({TIME}))?", re.ASCII)
CALENDAR_DAY = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)", re.ASCII)
DAYS = re.compile(rf"({'|'.join(WEEKDAYS)})(?:-({'|'.join(WEEKDAYS)}))?", re.ASCII)
SHORT_DURATION = re.compile(
    r"(?=\d)(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII
)
ISO_DURATION = re.compile(
    r"P(?=[\dT])(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)

MAX_DURATION: Final = 366 * DAY

LINE_PATTERN: Final = r"^\s*[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\s*$"
"""One line of text, shown within sentences: no control characters and no line breaks. Surrounding white
space is stripped, which includes the final line break of YAML's folded texts."""


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


class CalendarDay(NamedTuple):
    """A date, or a day of every year if it has no year."""

    year: int | None
    month: int
    day: int


def parse_time_of_day(text: str) -> int:
    """Read ``14:00`` or ``14:00:30``, the seconds since local midnight."""
    match = TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a time of day such as "14:00"')
    return int(match[1]) * HOUR + int(match[2]) * MINUTE + int(match[3] or 0)


def parse_end_of_day(text: str) -> int:
    """Read a time of day, ``24:00`` included."""
    return DAY if text in ("24:00", "24:00:00") else parse_time_of_day(text)


def parse_week_time(text: str) -> WeekTime:
    """Read ``fri 14:00``."""
    match = WEEK_TIME.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a weekday and a time such as "fri 14:00"')
    return WeekTime(WEEKDAYS.index(match[1]), parse_time_of_day(match[2]))


def parse_days(text: str) -> tuple[int, ...]:
    """Read a weekday (``sat``) or a range of them (``mon-thu``; ``fri-mon`` wraps)."""
    match = DAYS.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a weekday such as "sat" or a range such as "mon-thu"')
    first = WEEKDAYS.index(match[1])
    last = WEEKDAYS.index(match[2] or match[1])
    return tuple((first + step) % 7 for step in range((last - first) % 7 + 1))


def parse_date(text: str) -> int:
    """Read ``2026-12-11``, the number of the day."""
    match = DATE.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a date (YYYY-MM-DD) such as "2026-12-31"')
    return _day_of(match)


def parse_date_bound(text: str) -> DateBound:
    """Read ``2026-12-11`` or ``2026-12-11 18:00``."""
    match = DATE_BOUND.fullmatch(text)
    if match is None:
        raise MalformedValueError(
            'not a date (YYYY-MM-DD) such as "2026-12-31" or a local time such as "2026-12-31 18:00"'
        )
    return DateBound(_day_of(match), parse_time_of_day(match[4]) if match[4] else None)


def _day_of(match: re.Match[str]) -> int:
    try:
        return local_day(date(int(match[1]), int(match[2]), int(match[3])))
    except ValueError:
        raise MalformedValueError("there is no such day in the calendar") from None


def parse_year_bound(text: str) -> YearBound:
    """Read ``12-20`` or ``12-20 18:00``: month, day and perhaps a time."""
    match = YEAR_BOUND.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a month and day (MM-DD) such as "12-31" or "12-31 18:00"')
    month, day = int(match[1]), int(match[2])
    try:
        date(2000, month, day)  # a leap year: 02-29 is a day of the year
    except ValueError:
        raise MalformedValueError("there is no such day in any year; the form is MM-DD") from None
    return YearBound(month, day, parse_time_of_day(match[3]) if match[3] else None)


def parse_calendar_day(text: str) -> CalendarDay:
    """Read a date, ``2027-06-11``, or a day of every year, ``06-11``."""
    match = CALENDAR_DAY.fullmatch(text)
    if match is None:
        raise MalformedValueError(
            'not a date (YYYY-MM-DD) such as "2027-06-11" or a day of every year (MM-DD) such as "06-11"'
        )
    year = int(match[1]) if match[1] else None
    try:
        date(2000 if year is None else year, int(match[2]), int(match[3]))
    except ValueError:
        raise MalformedValueError("there is no such day in the calendar") from None
    return CalendarDay(year, int(match[2]), int(match[3]))


def parse_duration(text: str) -> int:
    """Read ``90s``, ``20m``, ``1h30m``, ``2d``, ``2w``, or ISO 8601 ``PT20M``: elapsed seconds.

    A day is 24 hours of elapsed time, whatever the wall clock does; a week is seven of them.
    """
    match = SHORT_DURATION.fullmatch(text) or ISO_DURATION.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a duration such as "20m", "1h30m", "2d", "2w" or "PT20M"')
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = (7 * weeks + days) * DAY + hours * HOUR + minutes * MINUTE + seconds
    if total > MAX_DURATION:
        raise MalformedValueError("longer than 366 days")
    return total


def parse_positive_duration(text: str) -> int:
    """Read a duration above zero."""
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


def format_calendar_day(day: CalendarDay) -> str:
    """Write a day as `parse_calendar_day` reads it."""
    return f"{'' if day.year is None else f'{day.year:04}-'}{day.month:02}-{day.day:02}"


def waiting_time(seconds: int) -> str:
    """Return ``2 d 17 h 55 min``: with seconds only below an hour, and rounded up."""
    if seconds >= HOUR:
        seconds += -seconds % MINUTE
    parts = zip(_elapsed(seconds), ("d", "h", "min", "s"), strict=True)
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def waiting_roughly(seconds: int) -> str:
    """Return ``2 d 18 h``: like `waiting_time`, but from a day on without minutes, rounded up."""
    return waiting_time(seconds + -seconds % HOUR if seconds >= DAY else seconds)


def format_duration(seconds: int) -> str:
    """Write elapsed seconds in the form that `parse_duration` reads: ``1d12h``."""
    parts = zip(_elapsed(seconds), "dhms", strict=True)
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _elapsed(seconds: int) -> tuple[int, int, int, int]:
    """Return days, hours, minutes and seconds."""
    days, rest = divmod(seconds, DAY)
    hours, rest = divmod(rest, HOUR)
    return days, hours, *divmod(rest, MINUTE)
