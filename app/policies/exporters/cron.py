"""Cron expressions for spans that recur, and for spans of a date; every cron dialect reads them alike."""

from collections.abc import Iterable
from datetime import UTC, datetime

from app.core.instant import DAY, HOUR, MINUTE


def weekly_cron(weekdays: Iterable[int], time: int) -> str:
    """Return the expression for a time on weekdays (Monday is 0)."""
    days = sorted((day + 1) % 7 for day in weekdays)
    return f"{_time(time)} * * {','.join(map(str, days)) if len(days) < 7 else '*'}"  # noqa: PLR2004 - a week


def yearly_cron(month: int, day: int, time: int) -> str:
    """Return the expression for a time on a day of each year."""
    return f"{_time(time)} {day} {month} *"


def instant_cron(instant: int) -> str:
    """Return the expression for an instant, in UTC; it recurs every year."""
    day = datetime.fromtimestamp(instant, UTC)
    return yearly_cron(day.month, day.day, instant % DAY)


def _time(seconds: int) -> str:
    return f"{seconds % HOUR // MINUTE} {seconds // HOUR}"
