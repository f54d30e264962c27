"""The lines that two texts have in common, and the line endings of an edited text.

The work is bounded whatever the texts are: lines that are not matched within the bounds count as changed.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_MOST_CELLS: Final = 1_000_000
"""Comparisons of one line with another, in blocks without a line that occurs once on each side."""

_MOST_PASSES: Final = 40
"""How often a line is looked at, on average, while blocks are split."""

_ENDED: Final = re.compile(r"([^\r\n]*)(\r\n|\r|\n)")


class _Block(NamedTuple):
    """A stretch of the old lines and one of the new ones, to be matched with each other."""

    old: int
    old_end: int
    new: int
    new_end: int


def matching(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of indexes of equal lines, ascending on both sides.

    Equal lines at the ends of a block are matched first, then those that occur once on each side, as in
    patience diff: it keeps unlike policies apart, which have many short lines in common.
    """
    return sorted(_Matching(old, new).pairs())


class _Matching:
    """The matching of two texts, with the work that is left."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old = old
        self._new = new
        self._cells = _MOST_CELLS
        self._looks = _MOST_PASSES * (len(old) + len(new))

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs, in no order."""
        blocks = [_Block(0, len(self._old), 0, len(self._new))]
        while blocks:
            block, ends = self._trimmed(blocks.pop())
            yield from ends
            size = block.old_end - block.old + block.new_end - block.new
            if block.old == block.old_end or block.new == block.new_end or size > self._looks:
                continue
            self._looks -= size
            anchors = self._anchors(block)
            if anchors:
                blocks += _between(block, anchors)
                yield from anchors
            else:
                yield from self._longest(block)

    def _trimmed(self, block: _Block) -> tuple[_Block, list[tuple[int, int]]]:
        """Return a block without its equal ends, and the pairs of these."""
        old, old_end, new, new_end = block
        pairs = []
        while old < old_end and new < new_end and self._old[old] == self._new[new]:
            pairs.append((old, new))
            old, new = old + 1, new + 1
        while old < old_end and new < new_end and self._old[old_end - 1] == self._new[new_end - 1]:
            old_end, new_end = old_end - 1, new_end - 1
            pairs.append((old_end, new_end))
        return _Block(old, old_end, new, new_end), pairs

    def _anchors(self, block: _Block) -> list[tuple[int, int]]:
        """Return the longest ascending run of pairs of lines that occur once on each side."""
        old, new = self._old[block.old : block.old_end], self._new[block.new : block.new_end]
        places = {line: block.new + index for index, line in enumerate(new)}
        in_old, in_new = Counter(old), Counter(new)
        return _ascending(
            [
                (block.old + index, places[line])
                for index, line in enumerate(old)
                if in_old[line] == 1 and in_new[line] == 1
            ]
        )

    def _longest(self, block: _Block) -> Iterator[tuple[int, int]]:
        """Yield the pairs of a longest common subsequence of a small block."""
        old, new = self._old[block.old : block.old_end], self._new[block.new : block.new_end]
        self._cells -= len(old) * len(new)
        if self._cells < 0:
            return
        lengths = _suffix_lengths(old, new)
        i = j = 0
        while i < len(old) and j < len(new):
            if old[i] == new[j]:
                yield block.old + i, block.new + j
                i, j = i + 1, j + 1
            elif lengths[i + 1][j] >= lengths[i][j + 1]:
                i += 1
            else:
                j += 1


def _between(block: _Block, anchors: Sequence[tuple[int, int]]) -> Iterator[_Block]:
    """Yield the blocks around the anchors of a block."""
    old, new = block.old, block.new
    for i, j in anchors:
        yield _Block(old, i, new, j)
        old, new = i + 1, j + 1
    yield _Block(old, block.old_end, new, block.new_end)


def _ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a longest run of pairs that ascends on both sides, of pairs that ascend on the first."""
    tops: list[int] = []
    """The least second index at which a run of each length ends."""
    ends: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        length = bisect_left(tops, j)
        before.append(ends[length - 1] if length else -1)
        tops[length : length + 1] = [j]
        ends[length : length + 1] = [number]
    found, at = [], ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _suffix_lengths(old: Sequence[str], new: Sequence[str]) -> list[list[int]]:
    """Return the lengths of the longest common subsequences of ``old[i:]`` and ``new[j:]``."""
    rows = [[0] * (len(new) + 1)]
    for line in reversed(old):
        below, row = rows[-1], [0]
        for j in range(len(new) - 1, -1, -1):
            row.append(below[j + 1] + 1 if line == new[j] else max(below[j], row[-1]))
        rows.append(row[::-1])
    return rows[::-1]


def with_endings_of(base: str, edited: str) -> str:
    """Return an edited text with the line endings of its base.

    A browser gives every line the same ending. Lines of the base keep theirs; a new line has that of the
    line before it.
    """
    lines = edited.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\r" not in base:
        return "\n".join(lines)
    ended = _ENDED.findall(base)
    endings = dict(enumerate(ending for _, ending in ended))
    old = [line for line, _ in ended]
    known = {new: endings[index] for index, new in matching(old, lines[:-1])}
    usual, parts = endings[0], []
    for number, line in enumerate(lines[:-1]):
        usual = known.get(number, usual)
        parts += [line, usual]
    return "".join([*parts, lines[-1]])
