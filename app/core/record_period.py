"""The period of recorded decisions that are counted, by insights and by a backtest."""

from typing import Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, MINUTE
from app.core.interval import Period

USUAL_DAYS: Final = 90
"""The days before the end that are counted if no start is asked for."""

LONGEST_DAYS: Final = 366


def until(now: int) -> int:
    """Return the end of a period up to now, rounded up to the minute: requests within it share a count."""
    return now + -now % MINUTE


def record_period(now: int, start: int | None = None, end: int | None = None) -> Period:
    """Return the period that is counted: the 90 days up to this minute, unless told otherwise.

    Raises:
        MalformedValueError: it is empty, or too long.
    """
    last = until(now) if end is None else end
    first = max(EARLIEST, last - USUAL_DAYS * DAY) if start is None else start
    # The rest of this minute makes it neither too long nor not empty.
    if not 0 < (now if end is None else last) - first <= LONGEST_DAYS * DAY:
        raise MalformedValueError(f"must end after its start, by {LONGEST_DAYS} days at most")
    return Period(first, last)
