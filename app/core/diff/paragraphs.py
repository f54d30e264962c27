"""The times of a difference for a reader: each recurring one once, with all the places that it concerns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from app.core.diff.occurrences import Occurrence, Shape, occurrences
from app.core.diff.result import Diff, Difference, Hours, ServiceGroup, UnlistedNames
from app.core.diff.scopes import Cells, Mask
from app.core.wallclock import Zone

_MOST_STRETCHES: Final = 100_000
"""Stretches that are read for it, in a second or less; nobody reads the times of more."""

_MOST_COMPARED: Final = 4
"""Times of the same hours and reason of which another may be a part."""


class Reason(NamedTuple):
    """Which way the answer flips, and by which policies."""

    opens: bool
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The policies that veto no more, or now; none if a catalogue refuses."""
        return self.before or self.after


_Item = str | UnlistedNames | None
"""A service, or some unlisted ones; None stands for every other one."""


class _Block:
    """Services that are in the same differences; compared by identity, for there may be thousands."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self.items = items


class Part(NamedTuple):
    """A difference and its services, in blocks."""

    difference: Difference
    blocks: tuple[_Block, ...]


class Fewer(NamedTuple):
    """Places where a time leaves out some of its days."""

    days: tuple[int, ...]
    """Those left out, by number."""
    parts: tuple[Part, ...]


class Time(NamedTuple):
    """A recurring time with its reason."""

    occurrence: Occurrence
    reason: Reason
    fewer: tuple[Fewer, ...] = ()
    """Those of its places where it occurs on some of the days only."""


class Place(NamedTuple):
    """Services in some environments, for some kinds of change."""

    environments: tuple[str, ...]
    changes: tuple[str, ...]
    services: ServiceGroup


class Paragraph(NamedTuple):
    """Times that open or close in the same places."""

    times: tuple[Time, ...]
    """In the order in which each first occurs."""
    parts: tuple[Part, ...]
    """The differences that have these times, beside others; the broadest first."""

    def breadth(self, found: Diff) -> tuple[int, ...]:
        """Return the order in which paragraphs are shown, that of all their differences together."""
        *counts, first = zip(*(breadth(each.difference, found) for each in self.parts), strict=True)
        return *map(sum, counts), min(first)

    def environments(self, found: Diff) -> tuple[str, ...]:
        """Return all environments of its places."""
        there = {name for each in self.parts for name in each.difference.environments}
        return tuple(filter(there.__contains__, found.environments))

    def hours(self) -> list[tuple[int, int, Reason]]:
        """Return each stretch with its reason, in order."""
        return sorted((*stretch, time.reason) for time in self.times for stretch in time.occurrence.stretches)


def places(parts: Iterable[Part], found: Diff) -> list[Place]:
    """Return where some differences are: as few places as can say it, the broadest first."""
    cells = Cells(found.environments, found.changes)
    masks: dict[_Block, Mask] = {}
    for difference, blocks in parts:
        mask = cells.mask_of(difference.environments, difference.changes)
        for block in blocks:
            masks[block] = masks.get(block, 0) | mask
    alike: dict[Mask, list[_Block]] = {}
    for block, mask in masks.items():
        alike.setdefault(mask, []).append(block)
    there = [
        Place(*rectangle, _group([item for block in blocks for item in block.items]))
        for mask, blocks in alike.items()
        for rectangle in cells.rectangles(mask)
    ]
    return sorted(there, key=lambda each: breadth(each, found))


def paragraphs(found: Diff, zone: Zone) -> tuple[list[Paragraph], int]:
    """Return the times that differ, by their places, and how many differences were not read for it."""
    read = list(_read(sorted(found.differences, key=lambda each: breadth(each, found))))
    parts = _parts(read)
    where: dict[Time, list[int]] = {}
    for number, each in enumerate(read):
        for time in _times(each.hours, zone):
            where.setdefault(time, []).append(number)
    together: dict[tuple[int, ...], list[Time]] = {}
    for time, numbers in _folded(where, parts):
        together.setdefault(numbers, []).append(time)
    every = [
        Paragraph(
            tuple(sorted(times, key=lambda each: each.occurrence.first)),
            tuple(parts[number] for number in numbers),
        )
        for numbers, times in together.items()
    ]
    every.sort(key=lambda each: each.breadth(found))
    return every, len(found.differences) - len(read)


def _folded(
    where: Mapping[Time, Sequence[int]], parts: Sequence[Part]
) -> Iterator[tuple[Time, tuple[int, ...]]]:
    """Yield times with the numbers of their differences; one that leaves out a few days is with the other."""
    alike: dict[tuple[Shape, Reason], list[Time]] = {}
    for time in where:
        alike.setdefault((time.occurrence.shape, time.reason), []).append(time)
    for times in alike.values():
        whole: dict[Time, list[Time]] = {}
        for time in sorted(times, key=lambda each: -each.occurrence.times):
            of = next((each for each in islice(whole, _MOST_COMPARED) if _is_most_of(time, each)), None)
            whole.setdefault(of or time, []).extend([time] if of else [])
        for time, others in whole.items():
            fewer = tuple(_fewer(time, each, (parts[number] for number in where[each])) for each in others)
            numbers = {number for each in (time, *others) for number in where[each]}
            yield time._replace(fewer=fewer), tuple(sorted(numbers))


def _is_most_of(time: Time, other: Time) -> bool:
    """Return whether a time occurs on half or more of the days of another, and never else."""
    few, many = time.occurrence.stretches, other.occurrence.stretches
    return len(few) * 2 >= len(many) and set(few) <= set(many)


def _fewer(whole: Time, part: Time, parts: Iterable[Part]) -> Fewer:
    there = set(part.occurrence.days)
    return Fewer(tuple(day for day in whole.occurrence.days if day not in there), tuple(parts))


def breadth(each: Difference | Place, found: Diff) -> tuple[int, ...]:
    """Return the order in which differences are shown: those of most services first."""
    first = found.environments.index(each.environments[0])
    return -each.services.others, -len(each.services.names), -len(each.environments), first


def _read(ordered: Iterable[Difference]) -> Iterator[Difference]:
    left = _MOST_STRETCHES
    for each in ordered:
        if left <= 0:
            return
        left -= len(each.hours)
        yield each


def _parts(read: Sequence[Difference]) -> list[Part]:
    numbers: dict[_Item, list[int]] = {}
    for number, each in enumerate(read):
        for item in _items(each.services):
            numbers.setdefault(item, []).append(number)
    alike: dict[tuple[int, ...], list[_Item]] = {}
    for item, there in numbers.items():
        alike.setdefault(tuple(there), []).append(item)
    blocks: list[list[_Block]] = [[] for _ in read]
    for of, items in alike.items():
        block = _Block(items)
        for number in of:
            blocks[number].append(block)
    return [Part(*each) for each in zip(read, map(tuple, blocks), strict=True)]


def _times(hours: Iterable[Hours], zone: Zone) -> Iterator[Time]:
    by_reason: dict[Reason, list[Hours]] = {}
    for each in hours:
        by_reason.setdefault(Reason(*each[2:]), []).append(each)
    for reason, alike in by_reason.items():
        yield from (Time(occurrence, reason) for occurrence in occurrences(alike, zone))


def _items(group: ServiceGroup) -> Iterator[_Item]:
    """Yield the services of a group."""
    yield from group.names
    yield from group.patterns
    if group.others:
        yield None


def _group(items: Sequence[_Item]) -> ServiceGroup:
    names = sorted(item for item in items if isinstance(item, str))
    patterns = [item for item in items if isinstance(item, UnlistedNames)]
    return ServiceGroup(tuple(names), tuple(patterns), None in items)
