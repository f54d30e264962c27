"""What the rules that match one kind of request say together.

Each block is cut into segments, between one boundary of any rule and the next. A segment knows
which rules hold in it (a bit each) and when the combined answer next flips, so that an answer
is one bisection.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from app.core.decision import Decision, Question, Stretch
from app.core.instant import LATEST, LOOK_AHEAD
from app.core.interval import Interval
from app.core.policy import Effect
from app.core.timeline import BLOCK_BITS, BlockBudget, RuleTimeline, block_span, blocks_after

_UNKNOWN: Final = -1
_NEVER: Final = 0


class Verdict(NamedTuple):
    """What holds at every instant from `start` to `end`; `holders` has a bit for each rule that does."""

    start: int
    end: int
    holders: int
    blocking: tuple[Stretch, ...]
    warnings: tuple[Stretch, ...]
    flips_at: int | None


class _Block:
    """The segments of a block: where each starts, who holds in it, when the answer flips after it."""

    __slots__ = ("flips", "holders", "starts", "tail")

    def __init__(self, starts: "array[int]", holders: list[int], flips: "array[int]") -> None:
        self.starts = starts
        self.holders = holders
        self.flips = flips
        self.tail = _UNKNOWN
        """When the answer at the end of the block flips; found when it is first asked for."""


class ScopeTimeline:
    """The timeline of all requests that the same rules match."""

    def __init__(self, timelines: Sequence[RuleTimeline], budget: BlockBudget) -> None:
        """Combine `timelines`, in the order in which answers name them."""
        self._timelines = tuple(timelines)
        self._budget = budget
        self._blocks: dict[int, _Block] = {}
        self._present = Verdict(0, 0, 0, (), (), None)
        self._vetoers = [line for line in timelines if line.rule.effect is not Effect.WARN]
        self._vetoing = sum(
            1 << bit for bit, line in enumerate(timelines) if line.rule.effect is not Effect.WARN
        )

    def verdict(self, at: int) -> Verdict:
        """What holds at an instant; the last one given is remembered, for the present is asked most."""
        present = self._present
        if present.start <= at < present.end:
            return present
        number = at >> BLOCK_BITS
        block = self._blocks.get(number) or self._block(number)
        starts = block.starts
        after = bisect_right(starts, at)
        holders = block.holders[after - 1]
        self._present = present = Verdict(
            starts[after - 1],
            starts[after] if after < len(starts) else block_span(number)[1],
            holders,
            self._stretches(holders & self._vetoing, at),
            self._stretches(holders & ~self._vetoing, at),
            block.flips[after - 1] or self._tail(number) or None,
        )
        return present

    def is_compiled(self, at: int) -> bool:
        """Whether the block of an instant is compiled, with what comes after it."""
        block = self._blocks.get(at >> BLOCK_BITS)
        if block is None:
            return False
        return block.tail != _UNKNOWN or block.flips[bisect_right(block.starts, at) - 1] != _NEVER

    def decide(self, question: Question, at: int) -> Decision:
        """Answer a question that these rules match."""
        if question.duration > 1:
            return self._decide_through(question, at)
        verdict = self.verdict(at)
        flips_at = verdict.flips_at
        if flips_at is not None and flips_at > at + LOOK_AHEAD:
            flips_at = None
        following = self._following(at, verdict.blocking, flips_at) if verdict.blocking else ()
        return Decision(question, at, verdict.blocking, verdict.warnings, flips_at, following)

    def _following(self, at: int, blocking: tuple[Stretch, ...], opens_at: int | None) -> tuple[Stretch, ...]:
        """What else vetoes until it opens, where nothing that blocks now lasts that long."""
        if opens_at is None or not all(each.end and each.end < opens_at for each in blocking):
            return ()
        present = self._present
        known = {id(stretch.rule) for stretch in blocking}
        following: dict[int, Stretch] = {}
        for segment in self.segments(at, opens_at):
            for stretch in segment.blocking:
                if id(stretch.rule) not in known:
                    following.setdefault(id(stretch.rule), stretch)
        # The present is asked for most; this was a look elsewhere.
        self._present = present
        return tuple(following.values())

    def segments(self, start: int, end: int) -> Iterator[Verdict]:
        """Consecutive verdicts that cover `start` to `end`, cut to it; each differs from the next."""
        cursor = start
        pending: Verdict | None = None
        while cursor < end:
            verdict = self.verdict(cursor)
            cursor = min(verdict.end, end)
            if pending and pending.holders == verdict.holders:
                pending = pending._replace(end=cursor)
                continue
            if pending:
                yield pending
            pending = verdict._replace(start=max(verdict.start, start), end=cursor)
        if pending:
            yield pending

    def freezes(self, at: int, until: int) -> Iterator[Interval]:
        """The stretches in which anything vetoes, from `at` on, joined; the last may end after `until`."""
        cursor = at
        while cursor < until:
            verdict = self.verdict(cursor)
            flips_at = verdict.flips_at or LATEST
            if verdict.blocking:
                yield cursor, flips_at
            cursor = flips_at

    def forget(self, block: int) -> None:
        """Let go of a compiled block."""
        self._blocks.pop(block, None)

    def _decide_through(self, question: Question, at: int) -> Decision:
        """Answer for every instant of ``[at, at + duration)``; it must fit as a whole."""
        end = min(at + question.duration, LATEST)
        spans = list(self.segments(at, end))
        blocking = self._in_order(stretch for span in spans for stretch in span.blocking)
        warnings = self._in_order(stretch for span in spans for stretch in span.warnings)
        if blocking:
            flips_at = self._first_fit(at, question.duration)
        else:
            closes = self.verdict(end - 1).flips_at
            flips_at = closes - question.duration + 1 if closes is not None else None
        if flips_at is not None and flips_at > at + LOOK_AHEAD:
            flips_at = None
        return Decision(question, at, blocking, warnings, flips_at)

    def _first_fit(self, at: int, duration: int) -> int | None:
        """The first start after `at` from which nothing vetoes for `duration` seconds."""
        cursor = at
        while (verdict := self.verdict(cursor)).flips_at is not None and cursor <= at + LOOK_AHEAD:
            if not verdict.blocking and cursor > at and cursor + duration <= verdict.flips_at:
                return cursor
            cursor = verdict.flips_at
        return cursor if not verdict.blocking else None

    def _in_order(self, stretches: Iterator[Stretch]) -> tuple[Stretch, ...]:
        first: dict[int, Stretch] = {}
        for stretch in stretches:
            first.setdefault(id(stretch.rule), stretch)
        return tuple(first[id(line.rule)] for line in self._timelines if id(line.rule) in first)

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
        """Sweep over the boundaries of all rules, flipping each one's bit as its boundary passes."""
        first, last = block_span(number)
        shift = len(self._timelines).bit_length()
        low_bits = (1 << shift) - 1
        boundaries = sorted(
            edge << shift | bit for bit, line in enumerate(self._timelines) for edge in line.edges(number)
        )
        starts, holders = array("q", [first]), [0]
        known: dict[int, int] = {}
        held = 0
        for instant, group in groupby(boundaries, lambda boundary: boundary >> shift):
            for boundary in group:
                held ^= 1 << (boundary & low_bits)
            if instant == first:
                holders[0] = held
            elif instant < last:
                starts.append(instant)
                holders.append(known.setdefault(held, held))
        return _Block(starts, holders, self._flips(starts, holders))

    def _flips(self, starts: "array[int]", holders: list[int]) -> "array[int]":
        """For each segment, the first later one whose combined answer differs."""
        flips = array("q", [_NEVER]) * len(starts)
        for index in range(len(starts) - 2, -1, -1):
            same = bool(holders[index] & self._vetoing) == bool(holders[index + 1] & self._vetoing)
            flips[index] = flips[index + 1] if same else starts[index + 1]
        return flips

    def _tail(self, number: int) -> int:
        """When the answer that stands at the end of a block flips, or `_NEVER` within the look-ahead."""
        block = self._block(number)
        if block.tail == _UNKNOWN:
            vetoed = bool(block.holders[-1] & self._vetoing)
            cursor = block_span(number)[1]
            horizon = block_span(blocks_after(number)[-1])[1] if blocks_after(number) else cursor
            flips = self._first_gap(cursor, horizon) if vetoed else self._first_veto(cursor, horizon)
            block.tail = flips if flips < horizon else _NEVER
        return block.tail

    def _first_gap(self, cursor: int, horizon: int) -> int:
        """The first instant from `cursor` on at which nothing vetoes: from stretch to stretch."""
        while cursor < horizon:
            ends = [stretch.end for line in self._vetoers if (stretch := line.stretch(cursor))]
            if not ends:
                return cursor
            cursor = max(horizon if end is None else end for end in ends)
        return horizon

    def _first_veto(self, cursor: int, horizon: int) -> int:
        """The first instant from `cursor` on at which anything vetoes."""
        for line in self._vetoers:
            for stretch in line.stretches(cursor, horizon):
                horizon = min(horizon, max(cursor, stretch.start or cursor))
                break
        return horizon
