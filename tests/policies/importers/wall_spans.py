"""What the independent readings of other programs' formats share: closed spans of instants.

They use the slow twin's wall clock, and no code of the importers or of the engine. In a gap or fold, all of
them read a bound as freezegate promises: an ambiguous bound never shortens a freeze.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.spec.twin import instants_of, shown

Span = tuple[int, int]

FIRST, LAST = date(2026, 1, 1), date(2029, 1, 1)
"""The days over which readings are compared."""

DAY = timedelta(days=1)


def instant(local: datetime) -> int:
    """The instant of a UTC time."""
    return int(local.replace(tzinfo=UTC).timestamp())


HORIZON = instant(datetime(FIRST.year, 1, 1)), instant(datetime(LAST.year, 1, 1))  # noqa: DTZ001


def frozen(start: datetime, end: datetime, where: ZoneInfo) -> Span:
    """A span that freezes: the longest reading of its bounds."""
    return instants_of(start, where)[0], instants_of(end, where)[-1]


def opened(start: datetime, end: datetime, where: ZoneInfo) -> Span:
    """A span that opens: the shortest reading of its bounds."""
    return instants_of(start, where)[-1], instants_of(end, where)[0]


def days(first: date = FIRST, last: date = LAST) -> Iterator[date]:
    """Every day, with some on either side."""
    day = first - 40 * DAY
    while day < last + 2 * DAY:
        yield day
        day += DAY


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union of spans, in order."""
    union: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if union and start <= union[-1][1]:
            union[-1] = union[-1][0], max(end, union[-1][1])
        else:
            union.append((start, end))
    return union


def inverted(spans: Sequence[Span]) -> list[Span]:
    """All of the time outside of merged spans."""
    edges = [-(1 << 60), *(edge for span in spans for edge in span), 1 << 60]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


def covers(spans: Sequence[Span], at: int) -> bool:
    """Whether an instant lies in one of the merged spans."""
    before = bisect_right(spans, (at, 1 << 61)) - 1
    return before >= 0 and at < spans[before][1]


def changes_of_clocks(where: ZoneInfo) -> list[int]:
    """The instants within the horizon at which a zone changes its clocks."""
    return list(_changes(where.key))


def _changes(name: str) -> tuple[int, ...]:
    found = _KNOWN.get(name)
    if found is None:
        where = ZoneInfo(name)
        found = _KNOWN[name] = tuple(_jumps(where))
    return found


_KNOWN: dict[str, tuple[int, ...]] = {}


def _jumps(where: ZoneInfo) -> Iterator[int]:
    def offset(at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, where).utcoffset()

    for day in range(HORIZON[0], HORIZON[1], 86_400):
        if offset(day) == offset(day + 86_400):
            continue
        before, after = day, day + 86_400
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if offset(middle) == offset(day) else (before, middle)
        yield after


def instants(spans: Sequence[Span], zones: Iterable[ZoneInfo], seed: str, count: int = 10_000) -> list[int]:
    """Instants at which two readings may differ: at edges, in the weeks of clock changes, and anywhere."""
    chance = random.Random(seed)
    first, last = HORIZON
    edges = sorted({edge for span in spans for edge in span if first < edge < last})
    jumps = [jump for where in zones for jump in changes_of_clocks(where)]
    few = count // 16
    found = [edge + shift for edge in (*edges[:few], *edges[-few:]) for shift in (-1, 0)]
    near = [(edges or jumps, 7_200), (jumps or edges, 4 * 86_400)]
    for around, within in near:
        picks = chance.choices(around, k=(count - len(found)) // 2) if around else []
        found += [pick + int((2 * chance.random() - 1) * within) for pick in picks]
    found += [first + int(chance.random() * (last - first)) for _ in range(count - len(found))]
    return sorted(min(max(at, first), last - 1) for at in found)


__all__ = ["DAY", "FIRST", "HORIZON", "LAST", "Span", "shown"]
