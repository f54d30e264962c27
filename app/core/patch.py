"""Unified diffs of text files, for ``git apply`` and ``patch -p1``, byte for byte.

Some lines of the old text may be hidden: the text has something else there than the real file. No such line
is context, so that a patch applies to the real file unless it changes such a line itself.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.core.lines import matching

_CONTEXT: Final = 3
"""Lines around a change, as git writes them."""

_QUOTED: Final = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True)
class Patch:
    """A unified diff of one file."""

    text: str
    """Empty without a difference."""
    hidden: tuple[int, ...]
    """The hidden lines that it removes or replaces, counting from 1: it doesn't apply to the real file."""
    needs_zero: bool
    """Whether a change has a hidden line right behind it: `git apply` needs ``--unidiff-zero`` then."""


class _Change(NamedTuple):
    """Old lines that become new ones; one side may be empty."""

    old: int
    old_end: int
    new: int
    new_end: int


class _Hunk(NamedTuple):
    """Changes near to each other, and the numbers of lines before and behind them."""

    changes: tuple[_Change, ...]
    before: int
    behind: int

    def is_bare(self, lines: int) -> bool:
        """Return whether nothing is behind it, though a file of so many lines goes on there."""
        return not self.behind and self.changes[-1].old_end < lines


def unified_diff(name: str, old: str | None, new: str, hidden: Collection[int] = ()) -> Patch:
    """Return the diff of one file.

    Args:
        name: the path of the file.
        old: its text; None for a file to be added.
        new: the new text.
        hidden: the indexes of the hidden lines of `old`.
    """
    was, becomes = _lines(old or ""), _lines(new)
    changes = list(_changes(was, becomes))
    if not changes and old is not None:
        return Patch("", (), needs_zero=False)
    hunks = list(_hunks(changes, len(was), hidden))
    heads = f"--- {_path('a', name) if old is not None else '/dev/null'}\n+++ {_path('b', name)}\n"
    text = heads + "".join(line for hunk in hunks for line in _written(hunk, was, becomes))
    return Patch(text, _touched(changes, hidden), any(hunk.is_bare(len(was)) for hunk in hunks))


def _touched(changes: Sequence[_Change], hidden: Collection[int]) -> tuple[int, ...]:
    """Return the hidden lines among those that change, counting from 1."""
    return tuple(index + 1 for each in changes for index in range(each.old, each.old_end) if index in hidden)


def _lines(text: str) -> list[str]:
    """Return the lines as git counts them, each with its line feed."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[_Change]:
    i = j = 0
    for old_index, new_index in (*matching(old, new), (len(old), len(new))):
        if old_index > i or new_index > j:
            yield _Change(i, old_index, j, new_index)
        i, j = old_index + 1, new_index + 1


def _hunks(changes: Sequence[_Change], lines: int, hidden: Collection[int]) -> Iterator[_Hunk]:
    for group, around in _grouped(changes, lines, hidden):
        yield _Hunk(tuple(group), *_context(group, lines, hidden, around))


def _grouped(
    changes: Sequence[_Change], lines: int, hidden: Collection[int]
) -> Iterator[tuple[list[_Change], tuple[int, int]]]:
    """Yield the changes of each hunk, with the old lines between which its context lies."""
    group: list[_Change] = []
    start = 0
    for index, change in enumerate(changes):
        group.append(change)
        following = changes[index + 1].old if index + 1 < len(changes) else lines
        gap = range(change.old_end, following)
        if index + 1 < len(changes) and len(gap) <= 2 * _CONTEXT and not any(each in hidden for each in gap):
            continue
        yield group, (start, following)
        # Without a hidden line between them, two hunks are further apart than their context reaches.
        start, group = change.old_end, []


def _context(
    group: Sequence[_Change], lines: int, hidden: Collection[int], around: tuple[int, int]
) -> tuple[int, int]:
    """Return how many lines of context a hunk has before and behind it.

    Fewer on one side than on the other tells both programs that the file begins or ends there. So both sides
    have equally many, except there. One line behind it is needed by git, whatever is before.
    """
    first, last = group[0].old, group[-1].old_end
    before = _visible(range(first - 1, max(around[0], first - _CONTEXT) - 1, -1), hidden)
    behind = _visible(range(last, min(around[1], last + _CONTEXT)), hidden)
    if before < behind and before < first:
        behind = max(before, 1)
    if behind < before and last + behind < lines:
        before = max(behind, 1)
    return before, behind


def _visible(indexes: Sequence[int], hidden: Collection[int]) -> int:
    """Return how many of these lines come before the first hidden one."""
    return next((count for count, index in enumerate(indexes) if index in hidden), len(indexes))


def _written(hunk: _Hunk, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    first, last = hunk.changes[0], hunk.changes[-1]
    start, end = first.old - hunk.before, last.old_end + hunk.behind
    new_start, new_end = first.new - hunk.before, last.new_end + hunk.behind
    yield f"@@ -{_span(start, end)} +{_span(new_start, new_end)} @@\n"
    at = start
    for change in hunk.changes:
        yield from _marked(" ", old[at : change.old])
        yield from _marked("-", old[change.old : change.old_end])
        yield from _marked("+", new[change.new : change.new_end])
        at = change.old_end
    yield from _marked(" ", old[at:end])


def _span(start: int, end: int) -> str:
    """Return a range of lines; an empty one is named by the line before it."""
    return f"{start + (end > start)},{end - start}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"


def _path(side: str, name: str) -> str:
    """Return the path of a file on one side; quoted as git does where it could be misread."""
    if _QUOTED.search(name):
        quoted = _QUOTED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\{ord(found[0]):03o}", name)
        return f'"{side}/{quoted}"'
    # The tab ends a name that holds blanks.
    return f"{side}/{name}\t" if " " in name else f"{side}/{name}"
