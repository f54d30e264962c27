"""``cron: {start: "0 18 * * FRI", duration: 62h}``: each firing opens a window.

Cronsim parses the expressions, but iterates over time second by second. Here the fields are expanded on
calendar days instead, which is about a hundred times faster.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, Self, TypeGuard

from pydantic import Field, model_validator

from app.core.cron_expression import Expression, read_expression
from app.core.cron_words import Described, describe
from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import Interval
from app.core.notation import format_duration
from app.core.wallclock import Wall, calendar_date
from app.core.window import Window

# A window may have opened in the year before the first supported instant.
_FIRST: Final = EARLIEST - 366 * DAY
_LAST: Final = LATEST + DAY


class Cron(Window):
    """Open from each firing of `start`, for an elapsed duration or until the next firing of `end`."""

    start: Expression = Field(
        description="five-field expression; each firing opens the window", examples=["0 18 * * FRI"]
    )
    duration: Duration | None = Field(
        None,
        description="how long each opening lasts in elapsed time, at most 366 days; either this or `end`",
        examples=["62h"],
    )
    end: Expression | None = Field(
        None,
        description="five-field expression; its next firing closes the window; either this or `duration`",
        examples=["0 8 * * MON"],
    )

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.duration is None) == (self.end is None):
            raise MalformedValueError("start goes with either duration or end")
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval for each firing that may still be open in the span."""
        if self.end is not None:
            return _until_next(self.start, self.end, span, wall)
        length = self.duration or 0
        openings = _firings(self.start, wall.start, wall, span[0] - length, span[1])
        return [(at, at + length) for at in openings]

    def covers(self, other: Window) -> bool:
        """Return whether it opens at the same times and lasts at least as long."""
        if not isinstance(other, Cron) or self.duration is None or other.duration is None:
            return self == other
        return self.start == other.start and self.duration >= other.duration

    def per_day(self) -> int:
        """Return the number of firings of `start` in a day."""
        return len(read_expression(self.start).times)

    def words(self) -> str:
        """Return ``for 2d14h from 18:00 every Friday``, or ``from 18:00 every Friday until 08:00 …``."""
        start = describe(self.start)
        begins = _said(self.start, start)
        since = f"from {start.text}" if _is_time(start) else f"beginning {begins}"
        if self.end is None:
            return f"for {format_duration(self.duration or 0)} {since}"
        end = describe(self.end)
        if _is_time(start) and _is_time(end):
            return f"{since} until {end.text}"
        return f"beginning {begins}, ending {_said(self.end, end)}"


def _is_time(described: Described | None) -> TypeGuard[Described]:
    return described is not None and described.is_time


def _said(text: str, described: Described | None) -> str:
    """Return the words for an expression, to follow "beginning"; the expression itself if it has none."""
    if described is None:
        return f'each time cron "{text}" fires'
    return f"at {described.text}" if described.is_time else described.text


def _until_next(start: str, end: str, span: Interval, wall: Wall) -> list[Interval]:
    """Return the intervals from each firing of one expression to the next firing of another.

    An `end` with fixed times is the next such time on the wall clock, as in `weekly`; only then are both
    bounds converted to instants, and a window with no time in between is empty. An `end` with a wildcard
    has no single time, so it is the next instant at which it fires.
    """
    # A firing of `end` closes all earlier windows. The two days allow for a wall clock that skips or repeats
    # a whole day.
    since = _last_firing(end, wall, span[0] - 2 * DAY) - 2 * DAY
    until = _next_firing(end, wall, span[1] + 2 * DAY) + 2 * DAY
    if read_expression(end).wildcard:
        closings = [*_firings(end, wall.end, wall, since, until), _LAST]
        openings = _firings(start, wall.start, wall, since, span[1])
        return [(at, closings[bisect_right(closings, at)]) for at in openings]
    times = [*_local_times(end, since, until, wall), wall.zone.local(_LAST)]
    return [
        (at, wall.end(times[bisect_right(times, local)]))
        for local, at in _timed_firings(start, since, span[1], wall)
    ]


def _timed_firings(text: str, first: int, last: int, wall: Wall) -> Iterator[tuple[int, int]]:
    """Yield the local times at which an expression fires, each with its first instant."""
    if read_expression(text).wildcard:
        local = wall.zone.local
        return ((local(at), at) for at in _firings(text, wall.start, wall, first, last))
    return ((time, wall.start(time)) for time in _local_times(text, first, last, wall))


def _local_times(text: str, first: int, last: int, wall: Wall) -> list[int]:
    """Return the local times of an expression around the instants from `first` to `last`, in order."""
    times, local = read_expression(text).times, wall.zone.local
    days = _days(text, local(first) // DAY, local(last) // DAY + 1)
    return [day * DAY + time for day in days for time in times]


def _firings(text: str, bound: Callable[[int], int], wall: Wall, first: int, last: int) -> list[int]:
    """Return the firings in ``[first, last)``, in order.

    `bound` turns a fixed local time into an instant: the first after a gap, or one of the two in a fold.
    """
    schedule, zone = read_expression(text), wall.zone
    firings: list[int] = []
    for day in _days(text, zone.local(first) // DAY - 1, zone.local(last) // DAY + 2):
        midnight = day * DAY
        start = zone.earliest(midnight)
        if zone.latest(midnight + DAY) - start == DAY:  # a plain day: no gap, no fold
            firings.extend([start + time for time in schedule.times])
            continue
        for time in schedule.times:
            local = midnight + time
            firings.extend(zone.showing(local) if schedule.wildcard else (bound(local),))
    return sorted({at for at in firings if first <= at < last})


def _last_firing(text: str, wall: Wall, at: int) -> int:
    """Return the last firing at or before an instant, no earlier than `_FIRST`."""
    for length in _widening():
        if firings := _firings(text, wall.end, wall, max(at - length, _FIRST), at + 1):
            return firings[-1]
        if at - length < _FIRST:
            break
    return _FIRST


def _next_firing(text: str, wall: Wall, at: int) -> int:
    """Return the first firing at or after an instant, no later than `_LAST`."""
    for length in _widening():
        if firings := _firings(text, wall.end, wall, at, min(at + length, _LAST)):
            return firings[0]
        if at + length > _LAST:
            break
    return _LAST


def _widening() -> Iterator[int]:
    """Yield ever longer search lengths: most expressions fire every few days."""
    length = 8 * DAY
    while True:
        yield length
        length *= 8


@lru_cache(maxsize=4096)
def _days(text: str, first: int, last: int) -> list[int]:
    """Return the days from `first` to before `last` on which an expression fires."""
    schedule = read_expression(text)
    return [day for day in range(first, last) if schedule.fires_on(calendar_date(day))]
