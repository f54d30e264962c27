"""GitLab's rules for freeze periods, read once more: slow, obvious, without any code of the product.

A project is frozen if, for any period, no end has come since the latest start. Times are those of the
period's zone; what the clocks skip doesn't fire.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tests.policies.importers.differential import Intervals, regimes, union, wall_days, wall_seconds

Firings = list[int]


def reading(periods: Sequence[Mapping[str, str]]) -> Intervals:
    """Return when a project is frozen, over several years."""
    return union(interval for period in periods for interval in _frozen(period))


def _frozen(period: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    starts, ends = (_firings(period[key], period["cron_timezone"]) for key in ("freeze_start", "freeze_end"))
    # Nothing changes between two firings.
    for at, until in pairwise(sorted({*starts, *ends})):
        if _is_within(starts, ends, at):
            yield at, until


def _is_within(starts: Firings, ends: Firings, at: int) -> bool:
    # A moment after `at`: what fires at that instant has fired.
    started, ended = bisect_right(starts, at), bisect_right(ends, at)
    return started > 0 and (ended == 0 or ends[ended - 1] < starts[started - 1])


def _firings(cron: str, zone: str) -> Firings:
    minute, hour, day, month, weekdays = cron.split()
    on = None if weekdays == "*" else set(map(int, weekdays.split(",")))
    found = []
    for midnight in wall_days():
        last = monthrange(midnight.year, midnight.month)[1]
        on_day = midnight.day == (last if day == "L" else int(day)) if day != "*" else True
        by_day = on_day and month in ("*", str(midnight.month))
        if by_day and (on is None or midnight.isoweekday() % 7 in on):
            found += _instants(wall_seconds(midnight) + 3600 * int(hour) + 60 * int(minute), zone)
    return sorted(found)


def _instants(wall: int, zone: str) -> list[int]:
    stretches = regimes(zone)
    around = bisect_left([start + offset for start, _, offset in stretches], wall - 2 * 86_400)
    near = stretches[max(0, around - 1) : around + 3]
    return [wall - offset for start, end, offset in near if start <= wall - offset < end]
