"""The release of waiting deploys: whose turn it is, and when a platform hears of one that waits."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from app.core.counted import counted
from app.core.hold import Hold, Reporting
from app.core.instant import MINUTE
from app.core.notation import format_duration

KEPT_BACK: Final = 3
"""Answers of those that a platform takes which progress doesn't use: the final one, and two in reserve, since
an answer whose acknowledgement is lost is sent again and counts twice."""

PAUSE: Final = MINUTE
"""Seconds between two reports of progress because of a change: incidents are extended again and again."""


class Pace(NamedTuple):
    """The pace at which deploys that waited may start."""

    batch: int
    """The deploys that start in any `every` seconds at most."""
    every: int
    """In seconds."""

    def __str__(self) -> str:
        """Return it in words, such as "5 deploys every 1m"."""
        return f"{counted(self.batch, 'deploy')} every {format_duration(self.every)}"


def next_batch(
    allowed: Iterable[Hold], released: Mapping[str, int], pace: Callable[[str], Pace]
) -> list[Hold]:
    """Return the holds whose turn it is, the longest waiting first.

    Args:
        allowed: those that may be deployed now.
        released: the number of releases of each environment within its last `every` seconds.
        pace: returns the pace of an environment.
    """
    room: dict[str, int] = {}
    chosen = []
    for hold in sorted(allowed, key=lambda each: (each.created_at, each.id)):
        place = hold.question.environment
        left = room.get(place)
        if left is None:
            left = pace(place).batch - released.get(place, 0)
        if left > 0:
            chosen.append(hold)
        room[place] = left - 1
    return chosen


def may_report(hold: Hold, reporting: Reporting) -> bool:
    """Return whether a platform takes another report of progress, with its last places kept."""
    return hold.reports < reporting.most - KEPT_BACK


def is_report_due(hold: Hold, opens_at: int | None, reporting: Reporting, now: int) -> bool:
    """Return whether a platform is told that a deploy still waits.

    It is told on arrival, when the opening has moved, and, well before it takes the deploy for lost, again.

    Args:
        hold: the hold, with what was reported.
        opens_at: when it opens; what was reported if that is of no interest.
        reporting: what the platform takes.
        now: the present second.
    """
    if not may_report(hold, reporting):
        return False
    if hold.told_at is None:
        return True
    silent = now - hold.told_at
    if reporting.every is not None and silent >= reporting.every // 2:
        return True
    return opens_at != hold.opens_at and silent >= PAUSE
