"""The time in which policies veto, read once for both sets."""

from collections.abc import Sequence
from itertools import chain

from app.core.compiled import CompiledPolicies
from app.core.diff.limits import Work
from app.core.interval import Interval
from app.core.timeline import PolicyTimeline


class VetoTimes:
    """The time in which a policy vetoes in one zone; one object for a policy that both sets have alike."""

    __slots__ = ("_edges", "_found", "_timeline", "_work")

    def __init__(self, timeline: PolicyTimeline, work: Work) -> None:
        """Count what is read of the timeline."""
        self._timeline = timeline
        self._work = work
        self._found: tuple[Interval, Sequence[Interval]] | None = None
        self._edges: Sequence[int] | None = None

    def intervals(self, span: Interval) -> Sequence[Interval]:
        """Return when the policy vetoes within a span, or more, as a normal list.

        It doesn't fill the memory of the engine.
        """
        if self._found is None or self._found[0][0] > span[0] or self._found[0][1] < span[1]:
            self._work.begin_to_read(self._timeline.rule, span)
            self._found = span, self._timeline.intervals(span)
            self._work.count_intervals(len(self._found[1]))
        return self._found[1]

    def edges(self, span: Interval) -> Sequence[int]:
        """Return the same as start and end, start and end, …: an odd number of them lies before its time."""
        if self._edges is None:
            self._edges = tuple(chain.from_iterable(self.intervals(span)))
        return self._edges


class VetoTimesCache:
    """The times of the policies of two sets, each read once."""

    def __init__(self, old: CompiledPolicies, new: CompiledPolicies, work: Work) -> None:
        """Read the policies of two sets."""
        self._sets = old, new
        self._work = work
        self._found: dict[tuple[bool, int, str], VetoTimes] = {}

    def of(self, number: int, zone: str, *, is_new: bool) -> VetoTimes:
        """Return the times of a policy of one set."""
        key = (is_new, number, zone)
        times = self._found.get(key)
        if times is None:
            timeline = self._sets[is_new].timeline(number, zone)
            times = self._found[key] = VetoTimes(timeline, self._work)
        return times
