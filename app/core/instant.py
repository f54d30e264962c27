"""Instants: whole seconds since the Unix epoch, in UTC, as plain integers.

The core stores and compares nothing else. Python's arithmetic on aware datetimes of one zone is
wall-clock arithmetic, so no datetime enters or leaves here.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from app.core.errors import MalformedValueError, OutOfRangeError

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

EARLIEST: Final = 946_684_800
"""2000-01-01T00:00:00Z, the first supported instant."""

LATEST: Final = 4_133_980_800
"""2101-01-01T00:00:00Z, exclusive: the holiday calendars know the years up to 2100."""

LOOK_AHEAD: Final = 731 * DAY
"""How far ahead a flip is searched: two years, including a leap day."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)


def parse_instant(text: str) -> int:
    """Read an RFC 3339 date-time; its offset is required, fractions of a second are cut off.

    Raises:
        MalformedValueError: `text` is not of that form or names a day or time that does not exist.
        OutOfRangeError: the instant lies outside the years 2000 to 2100.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        msg = "not an RFC 3339 date-time with an offset, such as 2026-11-27T14:00:00+01:00"
        raise MalformedValueError(msg)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    if offset_hours > 23 or offset_minutes > 59:  # noqa: PLR2004 - the limits RFC 3339 sets
        raise MalformedValueError("the offset is not a time of day")
    try:
        stamp = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise MalformedValueError("there is no such day in the calendar, or no such time in a day") from None
    offset = timedelta(hours=offset_hours, minutes=offset_minutes).total_seconds()
    return in_range(int(stamp.timestamp() - (offset if match[8] == "+" else -offset)))


def in_range(instant: int) -> int:
    """Return `instant`, or raise `OutOfRangeError` outside the years 2000 to 2100."""
    if not EARLIEST <= instant < LATEST:
        raise OutOfRangeError("answers are given for the years 2000 to 2100 only")
    return instant


@lru_cache(maxsize=4_096)
def format_instant(instant: int) -> str:
    """Write an instant as RFC 3339 in UTC: ``2026-11-27T13:00:00Z``."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
