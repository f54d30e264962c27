"""The offsets of a zone around now, for scripts, so that times don't depend on the browser's zone data."""

from bisect import bisect_left
from functools import lru_cache
from typing import Final

from app.core.explain import zone_label
from app.core.instant import DAY, LATEST
from app.core.wallclock import Zone, zone

_AHEAD: Final = 370
"""Days. Pages refresh every few minutes."""

Offset = tuple[int, int, str]
"""An instant in seconds, the offset from UTC in seconds from then on, and the zone's abbreviation."""


def offsets(home: Zone, now: int) -> tuple[Offset, ...]:
    """Return the offsets of a zone from yesterday to a year from now, in order."""
    return _offsets(home.name, now // DAY)


@lru_cache(maxsize=16)
def _offsets(name: str, day: int) -> tuple[Offset, ...]:
    home = zone(name)
    known = [((day - 1) * DAY, *_at(home, (day - 1) * DAY))]
    for midnight in range(day * DAY, min((day + _AHEAD) * DAY, LATEST), DAY):
        last = known[-1][1:]
        if _at(home, midnight) != last:
            seconds = range(midnight - DAY, midnight)
            start = seconds[0] + bisect_left(seconds, True, key=lambda at: _at(home, at) != last)
            known.append((start, *_at(home, start)))
    return tuple(known)


def _at(home: Zone, instant: int) -> tuple[int, str]:
    return home.offset(instant), zone_label(instant, home)
