"""The combined timeline of all rules that match the same requests.

Each block is cut into segments, from one boundary of any rule to the next. A segment knows its active rules
(a bit each) and when the combined answer next flips, so that a decision is one bisection.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from app.core.decision import Decision, Question, Stretch
from app.core.instant import LATEST, LOOK_AHEAD
from app.core.interval import Interval
from app.core.policy import Effect
from app.core.timeline import BLOCK_BITS, BlockBudget, RuleTimeline, block_span, blocks_after

_STEPS: Final = 32
"""Stretches to follow one by one, before scanning whole blocks."""

_UNKNOWN: Final = -1
_NEVER: Final = 0


class Segment(NamedTuple):
    """A time in which the same rules are active: `active` has a bit for each of them."""

    start: int
    end: int
    active: int
    blocking: tuple[Stretch, ...]
    warnings: tuple[Stretch, ...]
    flips_at: int | None


class _Block:
    """The segments of a block: the start, active rules and next flip of each."""

    __slots__ = ("active", "flips", "starts", "tail")

    def __init__(self, starts: "array[int]", active: list[int], flips: "array[int]") -> None:
        self.starts = starts
        self.active = active
        self.flips = flips
        self.tail = _UNKNOWN
        """When the answer at the end of the block flips; found on first use."""


class ScopeTimeline:
    """The timeline of all requests that the same rules match."""

    def __init__(self, timelines: Sequence[RuleTimeline], budget: BlockBudget) -> None:
        """Combine `timelines`, in the order in which answers name them."""
        self._timelines = tuple(timelines)
        self._budget = budget
        self._blocks: dict[int, _Block] = {}
        self._present = Segment(0, 0, 0, (), (), None)
        self._last_others: tuple[Segment, tuple[Stretch, ...]] = self._present, ()
        self._vetoers = [line for line in timelines if line.rule.effect is not Effect.WARN]
        self._vetoing = sum(
            1 << bit for bit, line in enumerate(timelines) if line.rule.effect is not Effect.WARN
        )

    @property
    def lines(self) -> Sequence[RuleTimeline]:
        """The timelines of the rules."""
        return self._timelines

    @property
    def vetoers(self) -> Sequence[RuleTimeline]:
        """The timelines of the rules that can veto."""
        return self._vetoers

    def segment(self, at: int) -> Segment:
        """Return the segment of an instant; the last one is cached, because most questions are about now."""
        present = self._present
        if present.start <= at < present.end:
            return present
        number = at >> BLOCK_BITS
        block = self._blocks.get(number) or self._block(number)
        starts = block.starts
        after = bisect_right(starts, at)
        active = block.active[after - 1]
        self._present = present = Segment(
            starts[after - 1],
            starts[after] if after < len(starts) else block_span(number)[1],
            active,
            self._stretches(active & self._vetoing, at),
            self._stretches(active & ~self._vetoing, at),
            block.flips[after - 1] or self._tail(number) or None,
        )
        return present

    def unchanged(self, at: int) -> tuple[int, int]:
        """Return the start and end of the time around an instant in which decisions differ by `at` only.

        That is its segment; a flip beyond the look-ahead is told from the instant on that it comes into view.
        """
        segment = self.segment(at)
        if segment.flips_at is None:
            return segment.start, segment.end
        seen_from = segment.flips_at - LOOK_AHEAD
        if at < seen_from:
            return segment.start, min(segment.end, seen_from)
        return max(segment.start, seen_from), segment.end

    def is_prepared(self, question: Question, at: int) -> bool:
        """Return whether a question takes a bisection or two: all is compiled, and no search is needed."""
        if question.duration <= 1:
            return self._is_compiled(at)
        end = at + question.duration
        if end > LATEST or not (self._is_compiled(at) and self._is_compiled(end - 1)):
            return False
        segment = self.segment(at)
        return not segment.blocking and (segment.flips_at is None or segment.flips_at >= end)

    def _is_compiled(self, at: int) -> bool:
        """Return whether the block of an instant is compiled, including the flip after its end."""
        block = self._blocks.get(at >> BLOCK_BITS)
        if block is None:
            return False
        return block.tail != _UNKNOWN or block.flips[bisect_right(block.starts, at) - 1] != _NEVER

    def decide(self, question: Question, at: int) -> Decision:
        """Decide a question that these rules match."""
        if question.duration > 1:
            return self._decide_through(question, at)
        segment = self.segment(at)
        flips_at = segment.flips_at
        if flips_at is not None and flips_at > at + LOOK_AHEAD:
            flips_at = None
        if flips_at is None:
            return Decision(question, at, segment.blocking, segment.warnings, None)
        last = self._last_others
        others = last[1] if last[0] is segment else self._others(segment, flips_at)
        # By position: names cost a tenth of the whole answer here.
        if segment.blocking:
            return Decision(question, at, segment.blocking, segment.warnings, flips_at, others)
        return Decision(question, at, (), segment.warnings, flips_at, (), others)

    def _others(self, segment: Segment, flips_at: int) -> tuple[Stretch, ...]:
        """Return the rules named beside the active ones: those that follow, or those that will close.

        They are the same for every instant of a segment; those of the last segment are cached with it.
        """
        others = self._following(segment, flips_at) if segment.blocking else self._vetoers_at(flips_at)
        self._last_others = segment, others
        return others

    def _following(self, segment: Segment, opens_at: int) -> tuple[Stretch, ...]:
        """Return the rules that veto later until it opens, if no blocking rule lasts that long."""
        if not all(each.end and each.end < opens_at for each in segment.blocking):
            return ()
        blocking = {id(stretch.rule) for stretch in segment.blocking}
        others = self._met(segment.start, opens_at, self._vetoing)
        return tuple(stretch for stretch in others.values() if id(stretch.rule) not in blocking)

    def _vetoers_at(self, at: int) -> tuple[Stretch, ...]:
        """Return the stretches that veto at an instant; the cached segment stays.

        An uncompiled block stays uncompiled: it may be two years away, and is needed for this alone.
        """
        block = self._blocks.get(at >> BLOCK_BITS)
        if block is None:
            return tuple(stretch for line in self._vetoers if (stretch := line.stretch(at)))
        active = block.active[bisect_right(block.starts, at) - 1]
        return self._stretches(active & self._vetoing, at)

    def segments(self, start: int, end: int) -> Iterator[Segment]:
        """Yield consecutive segments that cover [start, end), cut to it; equal neighbours are merged."""
        cursor = start
        pending: Segment | None = None
        while cursor < end:
            segment = self.segment(cursor)
            cursor = min(segment.end, end)
            if pending and pending.active == segment.active:
                pending = pending._replace(end=cursor)
                continue
            if pending:
                yield pending
            pending = segment._replace(start=max(segment.start, start), end=cursor)
        if pending:
            yield pending

    def freezes(self, at: int, until: int) -> Iterator[Interval]:
        """Yield the times in which any rule vetoes, from `at` on; the last may end after `until`."""
        cursor = at
        while cursor < until:
            segment = self.segment(cursor)
            flips_at = segment.flips_at or LATEST
            if segment.blocking:
                yield cursor, flips_at
            cursor = flips_at

    def met(self, start: int, end: int) -> dict[RuleTimeline, Stretch]:
        """Return the first stretch of each rule that is active at `start`, or later before `end`."""
        met = self._met(start, min(max(end, start + 1), LATEST), -1)
        return {self._timelines[bit]: stretch for bit, stretch in met.items()}

    def vetoes(self, start: int, end: int) -> tuple[Stretch, ...]:
        """Return the first stretch of each rule that vetoes in [start, end), in the order of the rules."""
        return _in_order(self._met(start, end, self._vetoing))

    def forget(self, block: int) -> None:
        """Drop a compiled block."""
        self._blocks.pop(block, None)

    def _decide_through(self, question: Question, at: int) -> Decision:
        """Decide for all of ``[at, at + duration)``."""
        end = min(at + question.duration, LATEST)
        blocking = _in_order(self._met(at, end, self._vetoing))
        warnings = _in_order(self._met(at, end, ~self._vetoing))
        closes: int | None = None
        if blocking:
            flips_at = self._first_fit_after(blocking, question.duration)
        else:
            closes = self.segment(end - 1).flips_at
            flips_at = closes - question.duration + 1 if closes is not None else None
        if flips_at is not None and flips_at > at + LOOK_AHEAD:
            flips_at = closes = None
        closing = () if closes is None else self._vetoers_at(closes)
        return Decision(question, at, blocking, warnings, flips_at, closing=closing)

    def _first_fit_after(self, met: Sequence[Stretch], duration: int) -> int | None:
        """Return the first start that leaves `duration` seconds without a veto; None if not in two years.

        No start fits before the end of what a deploy would meet, so the search begins there.
        """
        ends = [each.end for each in met if each.end is not None]
        return self._first_fit(max(ends), duration) if len(ends) == len(met) else None

    def _first_fit(self, at: int, duration: int) -> int | None:
        """Return the first start from `at` on that leaves `duration` seconds without a veto."""
        until = min(at + LOOK_AHEAD + duration, LATEST)
        opened: int | None = None
        for instant, active in self._segments(at, until):
            if not active & self._vetoing:
                opened = instant if opened is None else opened
            elif opened is not None and instant - opened >= duration:
                return opened
            else:
                opened = None
        return opened

    def _met(self, start: int, end: int, wanted: int) -> dict[int, Stretch]:
        """Return the first stretch of each of the `wanted` rules that is active in [start, end), by bit."""
        met: dict[int, Stretch] = {}
        for instant, active in self._segments(start, end):
            if new := active & wanted:
                wanted &= ~new
                while new:
                    lowest = new & -new
                    bit = lowest.bit_length() - 1
                    if stretch := self._timelines[bit].stretch(instant):
                        met[bit] = stretch
                    new ^= lowest
        return met

    def _segments(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (start, active-rule bits) for each segment in [start, end).

        Doesn't build Stretch objects: there may be a million.
        """
        for number in range(start >> BLOCK_BITS, ((end - 1) >> BLOCK_BITS) + 1):
            block = self._block(number)
            first = max(bisect_right(block.starts, start) - 1, 0)
            last = bisect_left(block.starts, end)
            for index in range(first, last):
                yield max(block.starts[index], start), block.active[index]

    def _stretches(self, bits: int, at: int) -> tuple[Stretch, ...]:
        if not bits:
            return ()
        timelines = self._timelines
        stretches: list[Stretch] = []
        while bits:
            lowest = bits & -bits
            if stretch := timelines[lowest.bit_length() - 1].stretch(at):
                stretches.append(stretch)
            bits ^= lowest
        return tuple(stretches)

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._compile(number)
            self._budget.charge(self, number, 4 * len(block.starts))
        return block

    def _compile(self, number: int) -> _Block:
        """Sweep over the boundaries of all rules, flipping the bit of a rule at each of its boundaries."""
        first, last = block_span(number)
        shift = len(self._timelines).bit_length()
        low_bits = (1 << shift) - 1
        boundaries = sorted(
            edge << shift | bit for bit, line in enumerate(self._timelines) for edge in line.edges(number)
        )
        starts, active = array("q", [first]), [0]
        known: dict[int, int] = {}
        held = 0
        for instant, group in groupby(boundaries, lambda boundary: boundary >> shift):
            for boundary in group:
                held ^= 1 << (boundary & low_bits)
            if instant == first:
                active[0] = held
            elif instant < last:
                starts.append(instant)
                active.append(known.setdefault(held, held))
        return _Block(starts, active, self._flips(starts, active))

    def _flips(self, starts: "array[int]", active: list[int]) -> "array[int]":
        """Return, for each segment, the start of the first later one whose combined answer differs."""
        flips = array("q", [_NEVER]) * len(starts)
        for index in range(len(starts) - 2, -1, -1):
            same = bool(active[index] & self._vetoing) == bool(active[index + 1] & self._vetoing)
            flips[index] = flips[index + 1] if same else starts[index + 1]
        return flips

    def _tail(self, number: int) -> int:
        """Return when the answer at the end of a block flips; `_NEVER` if not within the look-ahead."""
        block = self._block(number)
        if block.tail == _UNKNOWN:
            vetoed = bool(block.active[-1] & self._vetoing)
            cursor = block_span(number)[1]
            horizon = block_span(blocks_after(number)[-1])[1] if blocks_after(number) else cursor
            flips = self._first_gap(cursor, horizon) if vetoed else self._first_veto(cursor, horizon)
            block.tail = flips if flips < horizon else _NEVER
        return block.tail

    def _first_gap(self, cursor: int, horizon: int) -> int:
        """Return the first instant from `cursor` on at which nothing vetoes, or `horizon`.

        It is usually a few stretches away, or very far. Rules that veto most of the time are tried first:
        they rarely leave a gap, so the others need not be compiled for years ahead.
        """
        last_block = (cursor - 1) >> BLOCK_BITS
        lines = sorted(self._vetoers, key=lambda line: _held_time(line.edges(last_block)), reverse=True)
        for _ in range(_STEPS):
            block = cursor >> BLOCK_BITS
            ends = (_held_until(line.edges(block), cursor) for line in lines)
            end = next(filter(None, ends), None) if cursor < horizon else None
            if end is None:
                return min(cursor, horizon)
            cursor = end
        return self._first_gap_by_blocks(cursor, horizon, lines)

    def _first_gap_by_blocks(self, cursor: int, horizon: int, lines: Sequence[RuleTimeline]) -> int:
        """Return the same by subtracting each rule from the rest of a block, block after block."""
        while cursor < horizon:
            block = cursor >> BLOCK_BITS
            last = min(block_span(block)[1], horizon)
            free = [(cursor, last)]
            for line in lines:
                free = _outside(free, line.edges(block))
                if not free:
                    break
            else:
                return free[0][0]
            cursor = last
        return horizon

    def _first_veto(self, cursor: int, horizon: int) -> int:
        """Return the first instant from `cursor` on at which anything vetoes."""
        for line in self._vetoers:
            for stretch in line.stretches(cursor, horizon):
                horizon = min(horizon, max(cursor, stretch.start or cursor))
                break
        return horizon


def _in_order(met: dict[int, Stretch]) -> tuple[Stretch, ...]:
    """Return stretches in the order of their bits."""
    return tuple(met[bit] for bit in sorted(met))


def _held_time(edges: Sequence[int]) -> int:
    """Return for how many seconds of a block a rule is active."""
    return sum(edges[1::2]) - sum(edges[::2])


def _held_until(edges: Sequence[int], at: int) -> int | None:
    """Return when a rule active at an instant ends, within the block; None if it isn't active."""
    index = bisect_right(edges, at) - 1
    return None if index < 0 or index & 1 else edges[index + 1]


def _outside(free: Sequence[Interval], edges: Sequence[int]) -> list[Interval]:
    """Subtract the intervals given by edges from a normal list of intervals."""
    left: list[Interval] = []
    index, count = 0, len(edges)
    for start, end in free:
        index = bisect_right(edges, start, max(index - 2, 0))
        cursor = start
        if index & 1:
            cursor = edges[index]
            index += 1
        while cursor < end:
            if index >= count or edges[index] >= end:
                left.append((cursor, end))
                break
            if cursor < edges[index]:
                left.append((cursor, edges[index]))
            cursor = edges[index + 1]
            index += 2
    return left
