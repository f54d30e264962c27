"""When policies are active for a service, environment and kind of change, for very many instants.

Uses the policies as they are now, whether or not they were in force at the time: so a new rule shows
what it would have done before it existed.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Final, NamedTuple

from app.core.compiled import CompiledPolicies
from app.core.decision import names_of
from app.core.interval import Interval, edges_of, normalise
from app.core.timeline import BLOCK_BITS, block_span

_OFTEN: Final = 1_000
"""Instants after which a sweep over all boundaries is cheaper than to ask each policy anew."""

_GroupKey = tuple[tuple[int, ...], frozenset[str], str, str, str]
"""The policies that name a service, its tags, environment, kind of change and zone: equal keys share one
`Coverage`."""


CoverageKey = tuple[tuple[int, str], ...]
"""Policies by number, each with the zone that it is read in."""


class _Line(NamedTuple):
    """When one policy is active, read in one zone."""

    number: int
    edges: "array[int]"
    """Start and end, start and end, …"""


class Coverage:
    """When each of a group of policies is active; policies by number."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        """Take the lines in the order of their numbers."""
        self.applying = tuple(line.number for line in lines)
        """All policies of the group, whether or not they are ever active."""
        self._lines = lines
        self._asked = 0
        self._starts: array[int] | None = None
        self._active: list[tuple[int, ...]] = [()]

    def at(self, instant: int) -> tuple[int, ...]:
        """Return the policies active at an instant within the period."""
        starts = self._starts or self._swept()
        if starts is None:
            return tuple(line.number for line in self._lines if bisect_right(line.edges, instant) & 1)
        return self._active[bisect_right(starts, instant)]

    def during(self, start: int, end: int) -> tuple[int, ...]:
        """Return the policies active at any instant of [start, end), which must lie within the period."""
        starts = self._starts or self._swept()
        if starts is None:
            return tuple(line.number for line in self._lines if _is_active(line.edges, start, end))
        first, last = bisect_right(starts, start), bisect_left(starts, end)
        if first >= last:
            return self._active[first]
        return tuple(sorted(set(chain.from_iterable(self._active[first : last + 1]))))

    def cuts(self, start: int, end: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return the policies active at the start of a part of the period, and at each change in it."""
        if self._starts is None:
            self._starts = self._cut()
        first, last = bisect_right(self._starts, start), bisect_left(self._starts, end)
        changes = zip(self._starts[first:last], self._active[first + 1 : last + 1], strict=True)
        return [(start, self._active[first]), *changes]

    def _swept(self) -> "array[int] | None":
        """Return the boundaries of all lines; None while sweeping over them would not pay."""
        if self._starts is None:
            self._asked += 1
            if self._asked > _OFTEN:
                self._starts = self._cut()
        return self._starts

    def _cut(self) -> "array[int]":
        """Sweep over the boundaries of all lines: between two of them, the same policies are active."""
        boundaries = sorted((edge, line.number) for line in self._lines for edge in line.edges)
        starts = array("q")
        held: set[int] = set()
        for edge, number in boundaries:
            held ^= {number}
            if not starts or edge != starts[-1]:
                starts.append(edge)
                self._active.append(())
            self._active[-1] = tuple(sorted(held))
        return starts


def _is_active(edges: "array[int]", start: int, end: int) -> bool:
    """Return whether intervals, given by their edges, share an instant with [start, end)."""
    index = bisect_right(edges, start)
    return bool(index & 1) or (index < len(edges) and edges[index] < end)


def _each_once(lines: Iterable[_Line]) -> Iterator[_Line]:
    """Yield a line for each policy: one that services read in their own zones is active if it is in any."""
    for number, group in groupby(lines, attrgetter("number")):
        first, *others = group
        if others:
            pairs = (zip(line.edges[::2], line.edges[1::2], strict=True) for line in (first, *others))
            first = _Line(number, edges_of(normalise(chain.from_iterable(pairs))))
        yield first


class CoverageIndex:
    """Find when the policies of a set are active, for any request, in one period."""

    def __init__(self, compiled: CompiledPolicies, period: Interval) -> None:
        """Use the policies as they are; each is compiled on first use."""
        self._compiled = compiled
        self._policies = compiled.policy_set.policies
        self._period = period
        self._lines: dict[tuple[int, str], _Line] = {}
        self._by_group: dict[_GroupKey, CoverageKey] = {}
        self._found: dict[CoverageKey, Coverage] = {}

    def of(self, service: str, environment: str, change: str) -> Coverage:
        """Return the coverage of the policies that apply to a request.

        Several services, as `app.core.decision.joined` writes them, have the policies of any of them.
        """
        return self.of_key(self.key_of(service, environment, change))

    def key_of(self, service: str, environment: str, change: str) -> CoverageKey:
        """Return the policies that apply to a request; requests with the same ones share their coverage."""
        keys = [self._keys(each, environment, change) for each in names_of(service)]
        return keys[0] if len(keys) == 1 else tuple(sorted(set().union(*keys)))

    def of_key(self, key: CoverageKey) -> Coverage:
        """Return the coverage of policies."""
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = Coverage([*_each_once(self._line(*line) for line in key)])
        return found

    def _keys(self, service: str, environment: str, change: str) -> CoverageKey:
        policy_set = self._compiled.policy_set
        tags = policy_set.tags_of(service)
        named = tuple(
            number
            for number in sorted(self._compiled.candidates.of_name(service, tags))
            if self._policies[number].matches(service, tags, environment, change)
        )
        # Few services are named by a policy; the others share what is found for their tags.
        group = (named, tags, environment, change, policy_set.service_zone(service))
        found = self._by_group.get(group)
        if found is None:
            found = self._by_group[group] = self._find(*group)
        return found

    def _find(
        self, named: tuple[int, ...], tags: frozenset[str], environment: str, change: str, service_zone: str
    ) -> CoverageKey:
        zone_of = self._compiled.policy_set.zone_of
        others = (
            number
            for number in self._compiled.candidates.of_tags(tags)
            if self._policies[number].matches("", tags, environment, change)
        )
        return tuple(
            (number, zone_of(self._policies[number], service_zone).name)
            for number in sorted((*named, *others))
        )

    def _line(self, number: int, zone_name: str) -> _Line:
        """Return when one policy is active in the period, without filling the engine's memory."""
        found = self._lines.get((number, zone_name))
        if found is None:
            timeline = self._compiled.timeline(number, zone_name)
            first, last = self._period
            edges = array("q")
            for block in range(first >> BLOCK_BITS, ((last - 1) >> BLOCK_BITS) + 1):
                start, end = block_span(block)
                edges.extend(chain.from_iterable(timeline.intervals((max(start, first), min(end, last)))))
            found = self._lines[number, zone_name] = _Line(number, edges)
        return found
