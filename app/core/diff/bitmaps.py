"""Sets of instants as integers: a bit for each piece of time between neighbouring boundaries.

Whether a hundred policies leave any time open is then a hundred bitwise operations, whatever their windows.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from app.core.interval import Interval

Bitmap = int


class Pieces:
    """A period, cut at every boundary of some lists of intervals."""

    def __init__(self, period: Interval, lines: Iterable[Sequence[Interval]]) -> None:
        """Cut `period` at the bounds of `lines`, which lie within it."""
        bounds = set(period)
        for line in lines:
            bounds.update(chain.from_iterable(line))
        self._bounds = sorted(bounds)
        self._numbers = {bound: number for number, bound in enumerate(self._bounds)}
        self.all: Bitmap = (1 << len(self._bounds) - 1) - 1

    def bitmap(self, line: Sequence[Interval]) -> Bitmap:
        """Return the pieces that lie within a normal list of intervals."""
        marks = bytearray(len(self._bounds) // 8 + 1)
        numbers = self._numbers
        for bound in chain.from_iterable(line):
            number = numbers[bound]
            marks[number >> 3] ^= 1 << (number & 7)
        found = int.from_bytes(marks, "little")
        # Each piece is in or out as the number of bounds up to it is odd or even.
        shift = 1
        while shift < len(self._bounds):
            found ^= found << shift
            shift *= 2
        return found & self.all

    def intervals(self, bitmap: Bitmap) -> Iterator[Interval]:
        """Yield the time of some pieces as a normal list."""
        bits = f"{bitmap:b}"[::-1]
        start = bits.find("1")
        while start >= 0:
            end = bits.find("0", start)
            end = len(bits) if end < 0 else end
            yield self._bounds[start], self._bounds[end]
            start = bits.find("1", end)
