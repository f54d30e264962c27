"""Where policies hold for a service, environment and kind of change, cut into segments for counting.

By the policies as they stand, whether or not they were in force at the time: that is how a rule
shows what it would have been good for before anybody made it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from app.core.candidates import Candidates
from app.core.interval import Interval, clip
from app.core.policy import SERVICE_ZONE, Policy, PolicySet
from app.core.timeline import BLOCK_BITS, BlockBudget, PolicyTimeline
from app.core.wallclock import zone


class Held(NamedTuple):
    """The segments of a period, and which policies hold in each; policies by their numbers."""

    starts: "array[int]"
    holders: list[tuple[int, ...]]
    applying: tuple[int, ...]

    def segment(self, at: int) -> int:
        """The segment of an instant within the period."""
        return bisect_right(self.starts, at) - 1


class Places:
    """Finds where the policies of a set hold, for any request, in one period."""

    def __init__(self, policy_set: PolicySet, period: Interval) -> None:
        """Look at the policies as they stand; nothing is compiled before it is asked for."""
        self._policy_set = policy_set
        self._period = period
        self._candidates = Candidates(policy_set.policies)
        self._budget = BlockBudget()
        self._edges: dict[tuple[int, str], list[Interval]] = {}
        self._found: dict[tuple[tuple[int, str], ...], Held] = {}

    def held(self, service: str, environment: str, change: str) -> Held:
        """Where the policies hold that apply to a kind of change of a service."""
        lines = tuple(self._lines(service, environment, change))
        found = self._found.get(lines)
        if found is None:
            found = self._found[lines] = self._cut(lines)
        return found

    def _lines(self, service: str, environment: str, change: str) -> Iterable[tuple[int, str]]:
        """The policies that apply, each with the zone that it is read in."""
        known = (self._policy_set.services or {}).get(service)
        tags = frozenset(known.tags) if known else frozenset()
        for number in self._candidates.of(service, tags):
            policy = self._policy_set.policies[number]
            if policy.matches(service, tags, environment, change):
                yield number, self._zone(policy, known.timezone if known else None)

    def _zone(self, policy: Policy, service_zone: str | None) -> str:
        own = service_zone if policy.timezone == SERVICE_ZONE else policy.timezone
        return own or self._policy_set.timezone

    def _intervals(self, number: int, zone_name: str) -> list[Interval]:
        """Where one policy holds within the period."""
        found = self._edges.get((number, zone_name))
        if found is None:
            policy = self._policy_set.policies[number]
            timeline = PolicyTimeline(policy, zone(zone_name), self._budget)
            start, end = self._period
            found = self._edges[number, zone_name] = []
            for block in range(start >> BLOCK_BITS, ((end - 1) >> BLOCK_BITS) + 1):
                edges = timeline.edges(block)
                found += clip(list(zip(edges[::2], edges[1::2], strict=True)), self._period)
        return found

    def _cut(self, lines: tuple[tuple[int, str], ...]) -> Held:
        """Sweep over the boundaries of all lines; a segment lies between one and the next."""
        boundaries = sorted(
            (edge, number)
            for number, zone_name in lines
            for interval in self._intervals(number, zone_name)
            for edge in interval
        )
        starts = array("q", [self._period[0]])
        holders: list[tuple[int, ...]] = [()]
        held: set[int] = set()
        for edge, number in boundaries:
            held ^= {number}
            if edge != starts[-1]:
                starts.append(edge)
                holders.append(())
            holders[-1] = tuple(sorted(held))
        return Held(starts, holders, tuple(number for number, _ in lines))
