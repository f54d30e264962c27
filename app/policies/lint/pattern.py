"""Compare policies that hold at the same wall-clock times every week, without compiling any week.

On one wall clock, a later local bound is never an earlier instant. So an interval that lies within
another on the clock face does so every week, even when the clocks change. If it doesn't, it sticks out in
every week without a clock change.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Self

from app.core.instant import DAY
from app.core.interval import Interval, normalise
from app.core.policy import Effect, Policy

WEEK: Final = 7 * DAY
_MEANT: Final = 2 * WEEK
_CELL: Final = 3_600
_CELLS: Final = WEEK // _CELL


class Pattern(NamedTuple):
    """The open intervals of a policy in a week, in seconds of the wall clock since Monday 00:00."""

    effect: Effect
    zone: str | None
    """As written in the policy."""
    open: tuple[Interval, ...]
    """The intervals of each window, as written."""
    joined: tuple[Interval, ...]
    """The same intervals joined where they touch, repeated over four weeks; the third is compared."""

    @classmethod
    def of(cls, policy: Policy) -> Self | None:
        """Return the pattern of a policy; None if it has none."""
        if policy.except_when:
            return None
        found: list[Interval] = []
        for entry in policy.when:
            week = entry.window.week()
            if week is None:
                return None
            found += week
        around = [(start + week * WEEK, end + week * WEEK) for start, end in found for week in range(4)]
        return cls(policy.effect, policy.timezone, tuple(sorted(found)), tuple(normalise(around)))

    @property
    def holds(self) -> bool:
        """Whether the policy ever blocks; an allow-only policy that is always open never does."""
        return self.effect is not Effect.ALLOW_ONLY or not _within((0, WEEK), self.joined)

    @property
    def always_holds(self) -> bool:
        """Whether the policy holds at every instant, in every zone."""
        return self.effect is not Effect.ALLOW_ONLY and _within((0, WEEK), self.joined)

    def holds_through(self, other: "Pattern") -> bool | None:
        """Return whether it blocks whenever `other` (same effect and zone) does; None if unknown."""
        if self.effect is not Effect.ALLOW_ONLY:
            return all(_within(interval, self.joined) for interval in other.open)
        # It allows in its windows: the other must allow all of them as well.
        if not all(_within(interval, other.joined) for interval in self.open):
            return False
        # Adjacent windows leave a gap where their shared bound is a local time that occurs twice.
        wide = list(_around(other.open))
        return True if all(_is_within_one(interval, wide) for interval in self.open) else None

    def cells(self) -> set[int]:
        """Return the hours of the week that it touches."""
        cells: set[int] = set()
        for start, end in self.joined:
            if start < _MEANT + WEEK and end > _MEANT:
                first, last = max(start - _MEANT, 0), min(end - _MEANT, WEEK)
                cells.update(range(first // _CELL, -(-last // _CELL)))
        return cells


def _around(intervals: Sequence[Interval]) -> Iterator[Interval]:
    return ((start + shift, end + shift) for start, end in intervals for shift in (-WEEK, 0, WEEK))


def _within(interval: Interval, joined: Sequence[Interval]) -> bool:
    start, end = interval[0] + _MEANT, interval[1] + _MEANT
    index = bisect_right(joined, (start, _MEANT * 9)) - 1
    return index >= 0 and end <= joined[index][1]


def _is_within_one(interval: Interval, wide: Iterable[Interval]) -> bool:
    return any(start <= interval[0] and interval[1] <= end for start, end in wide)


class PatternIndex:
    """Find the patterns that may hold throughout another, by the hours of the week; as bits by number."""

    def __init__(self, patterns: Sequence[Pattern | None]) -> None:
        """Index patterns by number; an unknown one (None) is always found."""
        self._everything = (1 << len(patterns)) - 1
        self._unknown = bits([number for number, each in enumerate(patterns) if each is None], len(patterns))
        touching: list[list[int]] = [[] for _ in range(_CELLS)]
        alike: dict[tuple[Effect, str | None], list[int]] = {}
        for number, pattern in enumerate(patterns):
            if pattern is not None:
                alike.setdefault((pattern.effect, pattern.zone), []).append(number)
                for cell in pattern.cells():
                    touching[cell].append(number)
        self._touching = [bits(numbers, len(patterns)) for numbers in touching]
        self._alike = {key: bits(numbers, len(patterns)) for key, numbers in alike.items()}

    def may_hold_through(self, pattern: Pattern | None) -> int:
        """Return a bit for each policy that may hold wherever this pattern does."""
        if pattern is None:
            return self._everything
        same = self._alike[pattern.effect, pattern.zone]
        # In another zone: compared by instants.
        others = self._everything ^ same
        cells = pattern.cells()
        if pattern.effect is Effect.ALLOW_ONLY:
            for cell in set(range(_CELLS)) - cells:
                same &= ~self._touching[cell]
        else:
            for cell in cells:
                same &= self._touching[cell]
        return same | others


def numbers_of(found: int) -> Iterator[int]:
    """Return the numbers of the bits that are set, in order."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest


def bits(numbers: Sequence[int], size: int) -> int:
    """Return an integer with a bit set for each of the numbers below `size`."""
    field = bytearray(size // 8 + 1)
    for number in numbers:
        field[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(field, "little")
