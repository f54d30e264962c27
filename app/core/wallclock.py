"""Wall clocks: the local times of a zone, and the instants that show them.

A *local* time is an integer, like an instant: the seconds since 1970-01-01 00:00 on a wall clock without
offsets. A *day* is the number of days since then. So a week later is ``+ 7 * DAY``, whatever the zone does in
between, and only the conversion from local time to instant deals with gaps (skipped local times) and
folds (local times that occur twice).

Zones come only from the `tzdata` package, so that one version of it gives the same answers on every machine,
whatever time zone files the system has.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import cache
from importlib import resources
from io import BytesIO
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, LATEST, LOOK_AHEAD
from app.core.interval import Interval, normalise

EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_PROBE: Final = 28 * DAY
"""The probing step: no regime of a zone's standing rule is shorter, a test checks this for all zones."""


def local_day(day: date) -> int:
    """Return the number of a calendar date: days since 1970-01-01."""
    return day.toordinal() - EPOCH_DAY


def calendar_date(day: int) -> date:
    """Return the calendar date of a day's number."""
    return date.fromordinal(day + EPOCH_DAY)


def weekday(day: int) -> int:
    """Return the weekday of a day's number, with Monday as 0 (the ISO 8601 number minus one)."""
    return (day + 3) % 7


class Regimes:
    """A wall clock from 2000 to 2100, as a table of regimes: stretches of one constant offset."""

    def __init__(self, starts: Sequence[int], offsets: Sequence[int]) -> None:
        """Build the lookup from a table of regimes.

        Args:
            starts: the instants at which the regimes begin, in order; the first also applies before it.
            offsets: for each, the seconds that the wall clock is ahead of UTC. A regime must last longer than
                the change of offset before it, so that local times are in order, too.
        """
        self._starts = starts
        self._offsets = offsets
        self._local_starts = [start + offset for start, offset in zip(starts, offsets, strict=True)]
        self._local_ends = [end + offset for end, offset in zip([*starts[1:], 1 << 62], offsets, strict=True)]

    def offset(self, instant: int) -> int:
        """Return how many seconds the wall clock is ahead of UTC at an instant."""
        return self._offsets[bisect_right(self._starts, instant) - 1]

    def local(self, instant: int) -> int:
        """Return the local time shown at an instant."""
        return instant + self._offsets[bisect_right(self._starts, instant) - 1]

    def earliest(self, local: int) -> int:
        """Return the first instant that shows a local time; in a gap, the first instant after the gap."""
        regime = bisect_right(self._local_ends, local)
        return max(self._starts[regime], local - self._offsets[regime])

    def latest(self, local: int) -> int:
        """Return the last instant that shows a local time; in a gap, the first instant after the gap."""
        regime = bisect_right(self._local_starts, local) - 1
        if local < self._local_ends[regime]:
            return local - self._offsets[regime]
        return self._starts[regime + 1]

    def all(self, local: int) -> tuple[int, ...]:
        """Return every instant that shows a local time, in order; in a gap, the first instant after it."""
        first, last = self.earliest(local), self.latest(local)
        return (first,) if first == last else (first, last)

    def showing(self, local: int) -> tuple[int, ...]:
        """Return every instant that shows a local time, in order; in a gap, none."""
        instants = self.all(local)
        return instants if self.local(instants[0]) == local else ()

    @property
    def is_fixed(self) -> bool:
        """Whether the offset never changes from 2000 to 2100."""
        return len(self._offsets) == 1

    def setbacks(self, start: int, end: int) -> list[int]:
        """Return the instants after `start` and before `end` at which the wall clock is set back."""
        regimes = range(bisect_right(self._starts, start), bisect_left(self._starts, end))
        return [self._starts[each] for each in regimes if self._offsets[each] < self._offsets[each - 1]]

    def regimes(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield (start, end, offset) for each stretch of constant offset from `start` to `end`."""
        for each in range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end)):
            first = max(self._starts[each], start) if each else start
            last = self._starts[each + 1] if each + 1 < len(self._starts) else end
            yield first, min(last, end), self._offsets[each]

    def shown(self, start: int, end: int) -> list[Interval]:
        """Return the local times that the wall clock shows from `start` to `end`, in order, without repeats.

        Where clocks go back, an hour is shown twice, and a stretch from one into the other would seem to end
        before it starts. Where clocks go forward, the skipped hour is included.
        """
        parts = pairwise([start, *self.setbacks(start, end), end])
        # Not the local time of the end itself, because a day that begins there is not included.
        return normalise((self.local(first), self.local(last - 1) + 1) for first, last in parts)

    def skipped(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the local times that are skipped after `start` and before `end`, as first and end."""
        regimes = range(bisect_right(self._starts, start), bisect_left(self._starts, end))
        return [
            (self._starts[each] + self._offsets[each - 1], self._local_starts[each])
            for each in regimes
            if self._offsets[each] > self._offsets[each - 1]
        ]


class Zone(Regimes):
    """A time zone of the IANA database."""

    def __init__(self, name: str) -> None:
        """Build the table of a zone; use `zone()`, which caches it."""
        self.name = name
        self.info = ZoneInfo.from_file(BytesIO(_resource(name)), key=name)
        super().__init__(*_regimes(name, self.info))

    def abbreviation(self, instant: int) -> str:
        """Return the database's abbreviation for the zone's time at an instant: ``CET``, ``-03``."""
        return datetime.fromtimestamp(instant, self.info).tzname() or ""


class Wall(NamedTuple):
    """A wall clock, with the choice of instant for ambiguous bounds.

    Ambiguity never shortens a freeze: an ambiguous bound of a freezing window takes the instant that makes
    the window longer (*wide*); of an allowing window, the one that makes it shorter (*narrow*).
    """

    zone: Regimes
    start: Callable[[int], int]
    end: Callable[[int], int]
    wide: bool

    @classmethod
    def of(cls, zone: Regimes, *, wide: bool) -> "Wall":
        """Return the wall clock of a zone, read wide or narrow."""
        if wide:
            return cls(zone, zone.earliest, zone.latest, wide=True)
        return cls(zone, zone.latest, zone.earliest, wide=False)

    def day(self, instant: int) -> int:
        """Return the local day of an instant."""
        return self.zone.local(instant) // DAY

    def elsewhere(self, zone: Regimes) -> "Wall":
        """Return another zone's wall clock, read the same way."""
        return Wall.of(zone, wide=self.wide)


@cache
def zone_names() -> frozenset[str]:
    """Return the usable IANA names: those of the tzdata package without its placeholders."""
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(listed) - {"Factory", "localtime", "posixrules"}


@cache
def zone(name: str) -> Zone:
    """Return the zone of an IANA name.

    Raises:
        MalformedValueError: there is no zone of exactly that name.
    """
    if name not in zone_names():
        raise MalformedValueError("not an IANA time zone")
    return Zone(name)


def _resource(name: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _regimes(name: str, info: ZoneInfo) -> tuple[list[int], list[int]]:
    """Return starts and offsets of a zone's regimes: listed transitions, then those of its standing rule."""
    # Includes some time outside the supported years: a window may begin before them.
    first, last = EARLIEST - 2 * LOOK_AHEAD, LATEST + LOOK_AHEAD
    listed = _listed_transitions(_resource(name))
    starts, offsets = [first], [_offset(info, first)]
    for instant in [t for t in listed if first < t < last]:
        offset = _offset(info, instant)
        if offset != offsets[-1]:
            starts.append(instant)
            offsets.append(offset)
    for probe in range(max([first, *listed[-1:]]), last, _PROBE):
        if _offset(info, probe + _PROBE) != offsets[-1]:
            instant = _flip(info, probe, probe + _PROBE)
            starts.append(instant)
            offsets.append(_offset(info, instant))
    return starts, offsets


def _listed_transitions(data: bytes) -> tuple[int, ...]:
    """Return the transition times of a TZif file's 64-bit block (RFC 9636, section 3)."""
    header = struct.Struct(">4s1s15x6l")
    _, _, isutc, isstd, leaps, times, types, chars = header.unpack_from(data)
    second = header.size + times * 5 + types * 6 + chars + leaps * 8 + isstd + isutc
    count = header.unpack_from(data, second)[5]
    return struct.unpack_from(f">{count}q", data, second + header.size)


def _flip(info: ZoneInfo, before: int, after: int) -> int:
    """Return the first instant in ``(before, after]`` that no longer has the offset of `before`."""
    known = _offset(info, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(info, middle) == known:
            before = middle
        else:
            after = middle
    return after


def _offset(info: ZoneInfo, instant: int) -> int:
    delta = datetime.fromtimestamp(instant, info).utcoffset()
    return delta.days * DAY + delta.seconds if delta is not None else 0
