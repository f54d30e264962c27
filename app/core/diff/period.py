"""The period of a comparison."""

from typing import Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, LATEST, MINUTE
from app.core.interval import Period

USUAL_DAYS: Final = 60
"""The days that are compared if no end is asked for."""

LONGEST_DAYS: Final = 366


def diff_period(now: int, start: int | None = None, end: int | None = None) -> Period:
    """Return the period of a comparison: from this minute on, for 60 days, unless told otherwise.

    It starts with a whole minute, so that a comment that is renewed differs where the policies do.

    Raises:
        MalformedValueError: it is empty, or too long.
    """
    if start is None:
        start = now - now % MINUTE
    if end is None:
        end = min(start + USUAL_DAYS * DAY, LATEST)
    if not 0 < end - start <= LONGEST_DAYS * DAY:
        raise MalformedValueError(f"must be after its start, by {LONGEST_DAYS} days at most")
    return Period(start, end)
