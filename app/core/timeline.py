"""The timeline of one rule: when it is active, as sorted UTC boundaries.

Time is cut into blocks of 2²³ seconds, about 97 days. A block is compiled on first use and searched by
bisection from then on. So an instant in 2093 costs as much as one of today, and a set of ten thousand
policies is ready as soon as its present block is.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock
from typing import Final, Protocol

from app.core.decision import Stretch
from app.core.freeze import Freeze
from app.core.instant import EARLIEST, LATEST, LOOK_AHEAD
from app.core.interval import Interval, clip, complement, edges_of, normalise, subtract
from app.core.policy import Effect, Policy
from app.core.wallclock import Wall, Zone
from app.core.windows import WindowEntry

BLOCK_BITS: Final = 23
_LAST_BLOCK: Final = (LATEST - 1) >> BLOCK_BITS
_FIRST_BLOCK: Final = EARLIEST >> BLOCK_BITS
_BLOCKS_AHEAD: Final = (LOOK_AHEAD >> BLOCK_BITS) + 2
"""Blocks that cover the look-ahead of any instant of a block, the block itself included."""


def block_span(block: int) -> Interval:
    """Return the instants of a block, cut to the supported years."""
    return max(block << BLOCK_BITS, EARLIEST), min((block + 1) << BLOCK_BITS, LATEST)


def blocks_after(block: int) -> range:
    """Return the blocks after this one, as far as the look-ahead reaches."""
    return range(block + 1, min(block + _BLOCKS_AHEAD, _LAST_BLOCK) + 1)


def blocks_before(block: int) -> range:
    """Return the blocks before this one, going back as far as the look-ahead reaches."""
    return range(block - 1, max(block - _BLOCKS_AHEAD, _FIRST_BLOCK) - 1, -1)


class _Blocks(Protocol):
    def forget(self, block: int) -> None: ...


class BlockBudget:
    """The memory limit shared by all timelines of an engine; the oldest block is dropped first.

    First in, first out, so that reading a block costs no bookkeeping.
    """

    def __init__(self, limit: int = 6_000_000) -> None:
        """Allow for `limit` boundaries; each is some 8 to 24 bytes."""
        self._limit = limit
        self._held = 0
        self._queue: deque[tuple[_Blocks, int, int]] = deque()
        self._lock = Lock()

    def charge(self, owner: _Blocks, block: int, weight: int) -> None:
        """Count a new block, and drop the oldest ones while over the limit."""
        weight += 16  # the cost of an empty block
        with self._lock:
            self._queue.append((owner, block, weight))
            self._held += weight
            while self._held > self._limit and len(self._queue) > 1:
                old_owner, old_block, old_weight = self._queue.popleft()
                self._held -= old_weight
                old_owner.forget(old_block)


class PolicyTimeline:
    """When one policy, read in one zone, vetoes or warns."""

    __slots__ = ("_blocks", "_budget", "_stretches", "rule", "zone")

    def __init__(self, policy: Policy, zone: Zone, budget: BlockBudget) -> None:
        """Read the windows of `policy` on the wall clock of `zone`."""
        self.rule = policy
        self.zone = zone
        self._budget = budget
        self._blocks: dict[int, array[int]] = {}
        self._stretches: dict[int, Stretch] = {}
        """Each stretch by the boundary, within its block, at which it begins."""

    def edges(self, block: int) -> "array[int]":
        """Return start and end, start and end, … of the policy's activity within a block."""
        edges = self._blocks.get(block)
        if edges is None:
            edges = edges_of(self._compile(block_span(block)))
            self._blocks[block] = edges
            self._budget.charge(self, block, len(edges))
        return edges

    def forget(self, block: int) -> None:
        """Drop a compiled block."""
        edges = self._blocks.pop(block, ())
        for edge in edges[::2]:
            self._stretches.pop(edge, None)

    def stretch(self, at: int) -> Stretch | None:
        """Return the stretch around an instant; None if the policy isn't active then."""
        block = at >> BLOCK_BITS
        edges = self._blocks.get(block) or self.edges(block)
        index = bisect_right(edges, at) - 1
        if index < 0 or index & 1:
            return None
        edge = edges[index]
        stretch = self._stretches.get(edge)
        if stretch is None:
            start, end = self._extend(block, edge, edges[index + 1])
            stretch = self._stretches[edge] = Stretch(self.rule, self.zone, start, end)
        return stretch

    def stretches(self, start: int, until: int) -> Iterator[Stretch]:
        """Yield the stretches that end after `start` and begin before `until`, in order."""
        cursor = start
        for block in range(start >> BLOCK_BITS, ((until - 1) >> BLOCK_BITS) + 1):
            edges = self.edges(block)
            for index in range(0, len(edges), 2):
                if edges[index] >= until:
                    return
                if edges[index + 1] > cursor and (stretch := self.stretch(max(edges[index], cursor))):
                    yield stretch
                    if stretch.end is None:
                        return
                    cursor = stretch.end

    def last_end(self, at: int) -> int | None:
        """Return the end of the latest stretch that was over by an instant.

        None if that is more than the look-ahead ago, or if the policy is active at the instant.
        """
        for block in (at >> BLOCK_BITS, *blocks_before(at >> BLOCK_BITS)):
            edges = self.edges(block)
            if index := bisect_right(edges, at):
                return None if index & 1 else edges[index - 1]
        return None

    def intervals(self, span: Interval) -> list[Interval]:
        """Return when the policy is active within a span, without caching it."""
        return self._compile(span)

    def _compile(self, span: Interval) -> list[Interval]:
        opens = self.rule.effect is Effect.ALLOW_ONLY
        held = _union(self.rule.when, span, Wall.of(self.zone, wide=not opens))
        if self.rule.except_when:
            held = subtract(held, _union(self.rule.except_when, span, Wall.of(self.zone, wide=opens)))
        return complement(held, span) if opens else held

    def _extend(self, block: int, start: int, end: int) -> tuple[int | None, int | None]:
        """Follow a stretch that touches the edge of its block into the blocks beside it."""
        return (
            self._follow_back(block, start) if start == block_span(block)[0] else start,
            self._follow_on(block, end) if end == block_span(block)[1] else end,
        )

    def _follow_back(self, block: int, start: int) -> int | None:
        for earlier in blocks_before(block):
            edges = self.edges(earlier)
            if not edges or edges[-1] != start:
                return start
            start = edges[-2]
            if start != block_span(earlier)[0]:
                return start
        return None

    def _follow_on(self, block: int, end: int) -> int | None:
        for later in blocks_after(block):
            edges = self.edges(later)
            if not edges or edges[0] != end:
                return end
            end = edges[1]
            if end != block_span(later)[1]:
                return end
        return None


class FreezeTimeline:
    """When an ad-hoc freeze vetoes: one stretch, which needs no compiling."""

    __slots__ = ("_held", "_stretch", "rule", "zone")

    def __init__(self, freeze: Freeze, home: Zone) -> None:
        """Show the times of `freeze` in the zone `home`."""
        self.rule = freeze
        self.zone = home
        until = LATEST if freeze.until is None else freeze.until
        # Normalised: a freeze lifted before it started is never active.
        self._held = normalise([(freeze.starts_at, until)])
        self._stretch = Stretch(freeze, home, freeze.starts_at, freeze.until)

    def edges(self, block: int) -> "array[int]":
        """Return start and end of its activity within a block."""
        return edges_of(clip(self._held, block_span(block)))

    def intervals(self, span: Interval) -> list[Interval]:
        """Return when it is active within a span."""
        return clip(self._held, span)

    def stretch(self, at: int) -> Stretch | None:
        """Return its stretch, if it is active at an instant."""
        return next(self.stretches(at, at + 1), None)

    def stretches(self, start: int, until: int) -> Iterator[Stretch]:
        """Yield its stretch, if it ends after `start` and begins before `until`."""
        if clip(self._held, (start, until)):
            yield self._stretch


RuleTimeline = PolicyTimeline | FreezeTimeline


def _union(entries: Iterable[WindowEntry], span: Interval, wall: Wall) -> list[Interval]:
    """Return the union of windows within `span`."""
    intervals = chain.from_iterable(entry.window.intervals(span, wall) for entry in entries)
    return clip(normalise(intervals), span)
