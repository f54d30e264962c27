"""Half-open intervals of instants, and sets of them.

An interval is ``(start, end)`` with the start in it and the end not. A *normal* list of intervals
is sorted, and none of them is empty, overlaps or touches the next: equal sets of instants have
equal normal lists.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import lt
from typing import NamedTuple

Interval = tuple[int, int]


class Period(NamedTuple):
    """The period of a schedule or a feed, in seconds; `end` is not part of it."""

    start: int
    end: int


def normalise(intervals: Iterable[Interval]) -> list[Interval]:
    """Sort, drop the empty ones, and join those that overlap or touch."""
    result: list[Interval] = []
    last_start = last_end = -1
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if start <= last_end:
            if end > last_end:
                last_end = end
                result[-1] = (last_start, last_end)
        else:
            last_start, last_end = start, end
            result.append((start, end))
    return result


def clip(intervals: Sequence[Interval], span: Interval) -> list[Interval]:
    """Return the part of a normal list within `span`."""
    first, last = span
    return [(max(start, first), min(end, last)) for start, end in intervals if start < last and end > first]


def complement(intervals: Sequence[Interval], span: Interval) -> list[Interval]:
    """Return the part of `span` outside of a normal list."""
    gaps: list[Interval] = []
    cursor, last = span
    for start, end in clip(intervals, span):
        if start > cursor:
            gaps.append((cursor, start))
        cursor = end
    if cursor < last:
        gaps.append((cursor, last))
    return gaps


def subtract(intervals: Sequence[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """Return one normal list less another."""
    result: list[Interval] = []
    for interval in intervals:
        result.extend(complement(taken, interval) if taken else [interval])
    return result


def edges_of(intervals: Iterable[Interval]) -> "array[int]":
    """Return start and end, start and end, … of a normal list.

    Every timeline gets its edges from here. A sweep toggles a rule at each edge, so a reversed pair would
    freeze the time between its bounds, and an unsorted one would break every bisection.

    Raises:
        ValueError: the list is not normal.
    """
    edges = array("q", chain.from_iterable(intervals))
    if not all(map(lt, edges, edges[1:])):
        raise ValueError("the edges of a timeline are not in order")
    return edges
