"""Compare imported files with independent readings of their sources, second by second over three years.

A reading is a list of intervals in which a source freezes, made without any code of the product. It takes the
name of a mutation, which turns one rule of its format into another; each must be noticed.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.core.decision import Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from app.policies.load import load
from app.policies.source import Snapshot

FIRST = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2029, 6, 1, tzinfo=UTC).timestamp())
NOW = int(datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp())
INSTANTS = 400
"""Questions to the engine itself for each file; the windows are compared at every second."""
DAY = 86_400
NEAR = 4 * 3600
"""Seconds around a setback of the clocks within which an import may freeze longer."""

BEFORE, AFTER = FIRST - 370 * DAY, LAST + 40 * DAY
"""A window may open some time before the compared years, and close after them."""

Intervals = list[tuple[int, int]]


class Case(NamedTuple):
    """A file, the requests to compare, and the options to import it with."""

    text: str
    questions: Sequence[tuple[str, str]] = (("api", "production"),)
    options: ImportOptions = ImportOptions(NOW)


Reader = Callable[[Case, tuple[str, str], str | None], Intervals]
"""Return when the source freezes a service in an environment."""


@cache
def zone_info(zone: str) -> ZoneInfo:
    """Return a zone of the tzdata package; the system's files may be older."""
    with resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, zone)


@cache
def regimes(zone: str) -> list[tuple[int, int, int]]:
    """Return start, end and offset of each stretch of one offset; none of them is shorter than a day."""
    info = zone_info(zone)

    def offset(at: int) -> int:
        found = datetime.fromtimestamp(at, info).utcoffset()
        assert found is not None
        return int(found.total_seconds())

    starts = [BEFORE]
    days = range(BEFORE, AFTER, DAY)
    starts += [
        next(at for at in range(day, day + DAY + 1, 900) if offset(at) != offset(day))
        for day in days
        if offset(day + DAY) != offset(day)
    ]
    ends = [*starts[1:], AFTER]
    return [(start, end, offset(start)) for start, end in zip(starts, ends, strict=True)]


def setbacks(zones: Iterable[str]) -> list[int]:
    return [later[0] for zone in zones for earlier, later in pairwise(regimes(zone)) if later[2] < earlier[2]]


def from_wall(wall: Iterable[tuple[int, int]], zone: str) -> Intervals:
    """Return the instants at which a wall clock shows a time within any of the intervals."""
    shown = union(wall)
    found = []
    for start, end, offset in regimes(zone):
        for first, last in shown[max(0, bisect_right(shown, (start + offset,)) - 1) :]:
            if first - offset >= end:
                break
            found.append((max(first - offset, start), min(last - offset, end)))
    return union(found)


def union(intervals: Iterable[tuple[int, int]]) -> Intervals:
    found: Intervals = []
    for start, end in sorted(each for each in intervals if each[1] > each[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def flat(lists: Iterable[Intervals]) -> Intervals:
    """Return the intervals of several lists in one."""
    return [each for found in lists for each in found]


def outside(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """Return the time around some intervals."""
    found, last = [], BEFORE
    for start, end in union(intervals):
        found.append((last, start))
        last = end
    return union([*found, (last, AFTER)])


@cache
def wall_days() -> list[datetime]:
    """Return each day of the compared years and some around, as a naive midnight."""
    first = datetime.fromtimestamp(BEFORE, UTC).replace(hour=0, minute=0, second=0, tzinfo=None)
    return [first + timedelta(days) for days in range((AFTER - BEFORE) // DAY)]


def wall_seconds(local: datetime) -> int:
    return int(local.replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Imported:
    """A case as it was imported."""

    case: Case
    converted: Converted
    engine: Engine

    @cached_property
    def zones(self) -> frozenset[str]:
        """The zones of its policies."""
        found = self.engine.policy_set
        return frozenset(policy.timezone or found.timezone for policy in found.policies)

    @cached_property
    def frozen(self) -> dict[tuple[str, str], Intervals]:
        """When each request is frozen, by the compiled windows of the policies that match it."""
        return {question: self._frozen(*question) for question in self.case.questions}

    def _frozen(self, service: str, environment: str) -> Intervals:
        found = self.engine.policy_set
        return union(
            interval
            for policy in found.policies
            if policy.matches(service, found.tags_of(service), environment, "normal")
            for interval in self.engine.timeline(policy.id).intervals((FIRST, LAST))
        )


def imported(name: str, case: Case) -> Imported:
    """Import a case; nothing in it may be refused."""
    converted = convert(name, [SourceText("source", case.text)], case.options)
    assert not converted.refused, [str(each) for each in converted.refused]
    return Imported(case, converted, load(Snapshot.of(converted.text)).engine)


def difference(left: Intervals, right: Intervals) -> Intervals:
    """Return the time that is in one list of intervals and not in another."""
    edges = sorted({edge for each in (*left, *right) for edge in each})
    return union(
        (start, end) for start, end in pairwise(edges) if within(left, start) and not within(right, start)
    )


def within(intervals: Intervals, at: int) -> bool:
    """Return whether a sorted list of intervals has an instant."""
    index = bisect_right(intervals, at, key=lambda each: each[0]) - 1
    return index >= 0 and at < intervals[index][1]


def disagreement(each: Imported, reader: Reader, mutation: str | None = None) -> str | None:
    """Return the first time at which both differ, of all seconds of three years; None if there is none.

    Where the import says that it is wider, it may freeze near a setback while the source doesn't.
    """
    near = setbacks(each.zones) if "where clocks are set back" in each.converted.text else []
    for question in each.case.questions:
        theirs = clipped(reader(each.case, question, mutation))
        ours = each.frozen[question]
        if lost := difference(theirs, ours):
            return f"{question} is open and should be frozen {shown(lost[0])}"
        for start, end in difference(ours, theirs):
            if not any(setback - NEAR <= start and end <= setback + NEAR for setback in near):
                return f"{question} is frozen and should be open {shown((start, end))}"
    return None


def clipped(intervals: Intervals) -> Intervals:
    """Return the part of some intervals within the compared years."""
    return union((max(start, FIRST), min(end, LAST)) for start, end in intervals)


def shown(interval: tuple[int, int]) -> str:
    start, end = (datetime.fromtimestamp(each, UTC).isoformat() for each in interval)
    return f"from {start} to {end}"


def instants(each: Imported, seed: int) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield requests and instants: anywhere, around changes of the clocks, around edges of windows."""
    generator = random.Random(seed)
    changes = [start for zone in each.zones for start, _, _ in regimes(zone) if FIRST < start < LAST]
    edges = [edge for found in each.frozen.values() for interval in found for edge in interval]
    for _ in range(INSTANTS):
        near = generator.choice([*changes, *edges[:100]] or [FIRST])
        anywhere = generator.randrange(FIRST, LAST)
        at = generator.choice([anywhere, near, near - 1, near + generator.randint(-3 * DAY, 3 * DAY)])
        yield generator.choice(each.case.questions), min(max(at, FIRST), LAST - 1)


def engine_disagreement(each: Imported, seed: int) -> str | None:
    """Return the first of some instants at which the engine differs from the windows that were compared."""
    for question, at in instants(each, seed):
        if each.engine.decide(Question(*question), at).allowed is within(each.frozen[question], at):
            return f"{question} {shown((at, at + 1))}"
    return None


def differing(files: Sequence[Imported], reader: Reader) -> dict[int, str]:
    """Return the first difference of each file that has one, by its number."""
    found = {n: disagreement(each, reader) or engine_disagreement(each, n) for n, each in enumerate(files)}
    return {number: text for number, text in found.items() if text}


def is_caught(files: Sequence[Imported], reader: Reader, mutation: str) -> bool:
    """Return whether any file shows that a rule was turned into another."""
    return any(disagreement(each, reader, mutation) for each in files)
