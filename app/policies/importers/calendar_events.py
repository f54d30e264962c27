"""Events of an iCalendar file as windows of policies.yaml, where they are equal.

`app.core.vcalendar` reads the file: bounds are local times of a zone, exceptions and recurrence are in the
zone of their series.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, NamedTuple

from app.core.decision_text import one_line
from app.core.instant import DAY
from app.core.vcalendar import BOUNDS, Bounds, EventTime, Occurrence, local_seconds
from app.core.wallclock import Wall, Zone
from app.policies.importers.calendar_rules import Rule
from app.policies.importers.imported import Origin
from app.policies.importers.spans import Entry, after, before, once

_EVENT: Final = re.compile(r"^BEGIN:VEVENT[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_FEW: Final = 5
"""A recurrence of at most so many occurrences is written as dates."""

_SOME: Final = 60
"""A recurrence of at most so many occurrences is written as dates where no windows are equal."""

_LONGEST: Final = 400
"""Characters of a summary or description that are kept."""


class Span(NamedTuple):
    """An occurrence, as instants and as local times of a zone."""

    instants: tuple[int, int]
    zone: str
    locals: tuple[int, int]


@dataclass(frozen=True)
class Event:
    """An event that counts, or an occurrence that was moved."""

    origin: Origin
    summary: str
    description: str
    is_free: bool
    is_advisory: bool
    is_cancelled: bool
    bounds: Bounds
    rules: Sequence[Mapping[str, Any]]
    without: frozenset[int]
    """The local times of its occurrences that don't take place."""
    uid: str
    recurrence_id: int | None
    """The local time of the occurrence that it replaces."""
    moves_later_ones: bool

    def listed(self) -> list[Occurrence]:
        """Return the occurrences that it lists beside its rule."""
        return [span for start, span in self.bounds.listed.items() if start not in self.without]


@dataclass(frozen=True)
class Recurring:
    """A series, as windows."""

    event: Event
    zone: Zone
    length: int
    rule: Rule
    when: Sequence[Entry]
    except_when: Sequence[Entry]

    def is_over(self, now: int) -> bool:
        """Return whether its last occurrence has ended at an instant."""
        return self.rule.is_bounded and self._last_end() <= self.zone.local(now)

    def outside(self, now: int) -> Iterator[Entry]:
        """Yield windows of the time before its first occurrence and after its last one."""
        start = self.event.bounds.first.start.seconds
        if start > self.zone.local(now):
            yield before(start)
        if self.rule.is_bounded:
            yield after(self._last_end())

    def exclusions(self, now: int) -> list[Entry] | None:
        """Return windows of the occurrences that don't take place; None if other occurrences overlap them."""
        found = []
        for start in sorted(self.event.without):
            end = start + self.length
            around = self.rule.between(start - self.length + 1, end - 1)
            if start not in around or end <= self.zone.local(now):
                continue
            if len(around) > 1 or any(len(self.zone.all(bound)) > 1 for bound in (start, end)):
                return None
            found.append(once(start, end))
        return found

    def _last_end(self) -> int:
        return max(self.rule.starts()) + self.length

    def is_open(self, instant: int, *, wide: bool) -> bool:
        """Return whether one of its occurrences is open, by its rule."""
        wall, start = Wall.of(self.zone, wide=wide), self.event.bounds.first.start.seconds
        local = self.zone.local(instant)
        return any(
            wall.start(each) <= instant < wall.end(each + self.length)
            for each in self.rule.between(max(start, local - self.length - DAY), local + DAY)
            if each not in self.event.without
        )


@dataclass
class Contents:
    """The events of a calendar that count."""

    once: list[tuple[Event, Span]] = field(default_factory=list)
    recurring: list[Recurring] = field(default_factory=list)
    unequal: Event | None = None
    """The first event that no windows are equal to."""
    over: int = 0
    """The number of events that are over."""


def events_of(calendar: Any, places: Sequence[Origin]) -> list[Event]:
    """Return the events of a calendar, in order; each is at one of the places."""
    return [_event(each, place) for each, place in zip(calendar.walk("VEVENT"), places, strict=True)]


def lines_of(text: str) -> list[int]:
    """Return the line of each event of a text."""
    return [text.count("\n", 0, match.start()) + 1 for match in _EVENT.finditer(text)]


def _event(event: Any, place: Origin) -> Event:
    again = event.get("RECURRENCE-ID")
    return Event(
        origin=place,
        summary=_text(event, "SUMMARY"),
        description=_text(event, "DESCRIPTION"),
        is_free=_text(event, "TRANSP").upper() == "TRANSPARENT",
        is_advisory=_text(event, "X-EVENT-TYPE").upper() == "ADVISORY",
        is_cancelled=_text(event, "STATUS").upper() == "CANCELLED",
        bounds=event[BOUNDS],
        rules=_listed(event.get("RRULE")),
        without=frozenset(
            local_seconds(value.dt) for line in _listed(event.get("EXDATE")) for value in line.dts
        ),
        uid=str(event.get("UID", id(event))),
        recurrence_id=None if again is None else local_seconds(again.dt),
        moves_later_ones=again is not None and "RANGE" in again.params,
    )


def _text(event: Any, key: str) -> str:
    return one_line(str(event.get(key, ""))).strip()[:_LONGEST]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def contents(events: Sequence[Event], home: Zone, now: int, *, wide: bool) -> Contents:
    """Return events as windows.

    Args:
        events: those that count, and the cancelled ones that replace an occurrence.
        home: the zone of times and days that have none.
        now: the instant from which on they must be equal.
        wide: whether the events freeze, so that an ambiguous bound takes the longer way.
    """
    reader = _Reader(events, home, now, wide=wide)
    for event in events:
        if not event.is_cancelled:
            reader.add(event)
    return reader.found


class _Reader:
    """Turn events into windows."""

    def __init__(self, events: Sequence[Event], home: Zone, now: int, *, wide: bool) -> None:
        self.found = Contents()
        self._home = home
        self._now = now
        self._wide = wide
        self._moved: dict[str, frozenset[int]] = {}
        for event in events:
            if event.recurrence_id is not None:
                known = self._moved.get(event.uid, frozenset())
                self._moved[event.uid] = known | {event.recurrence_id}
        self._copies = Counter((event.uid, event.recurrence_id) for event in events)

    def add(self, event: Event) -> None:
        """Add the windows of an event."""
        if event.recurrence_id is None:
            event = replace(event, without=event.without | self._moved.get(event.uid, frozenset()))
        has_copies = self._copies[event.uid, event.recurrence_id] > 1
        series = self._series(event) if event.rules else self._first(event)
        if series is None or has_copies or event.moves_later_ones:
            self.found.unequal = self.found.unequal or event
        elif isinstance(series, Recurring):
            self._add_series(series)
            self._add_once(event, event.listed())
        else:
            self._add_once(event, dict.fromkeys([*series, *event.listed()]))

    def _first(self, event: Event) -> Sequence[Occurrence]:
        """Return the occurrence of an event without a rule."""
        first = event.bounds.first
        return [] if first.start.seconds in event.without else [first]

    def _add_series(self, series: Recurring) -> None:
        if series.is_over(self._now):
            self.found.over += 1
        else:
            self.found.recurring.append(series)

    def _add_once(self, event: Event, occurrences: Iterable[Occurrence]) -> None:
        spans = [self._span(each) for each in occurrences]
        coming = [span for span in spans if span.instants[1] > self._now]
        self.found.once += [(event, span) for span in coming]
        self.found.over += bool(spans) and not coming

    def _series(self, event: Event) -> Recurring | Sequence[Occurrence] | None:
        """Return a series as windows, as its occurrences if they are few, or None if no windows are equal."""
        try:
            rule = Rule(event.rules[0], event.bounds.first.start.seconds)
        except (ValueError, TypeError):  # of the library, for parts that it doesn't know
            return None
        if not rule.is_bounded:
            return self._recurring(event, rule)
        starts = list(islice(rule.starts(), _SOME + 1))
        dates = [event.bounds.of(start) for start in starts if start not in event.without]
        if len(starts) <= _FEW:
            return dates
        return self._recurring(event, rule) or (dates if len(starts) <= _SOME else None)

    def _recurring(self, event: Event, rule: Rule) -> Recurring | None:
        where, length = event.bounds.first.start.zone or self._home, self._length(event)
        if len(event.rules) > 1 or length is None or not isinstance(where, Zone):
            return None
        when = rule.windows(length)
        series = Recurring(event, where, length, rule, when or (), ())
        excluded = series.exclusions(self._now)
        if when is None or excluded is None:
            return None
        return replace(series, except_when=[*series.outside(self._now), *excluded])

    def _length(self, event: Event) -> int | None:
        """Return the length of each occurrence on its wall clock; None if it varies."""
        start, end = event.bounds.first
        where = start.zone or self._home
        if (end.zone or self._home) is not where or (end.after and not where.is_fixed):
            return None
        return end.seconds + end.after - start.seconds

    def _span(self, occurrence: Occurrence) -> Span:
        """Return an occurrence in the zone of its start, or in UTC if its bounds are ambiguous there."""
        start, end = occurrence
        first = self._wall(start).start(start.seconds)
        last = self._wall(end).end(end.seconds) + end.after
        where = start.zone or self._home
        if isinstance(where, Zone):
            wall, bounds = Wall.of(where, wide=self._wide), (where.local(first), where.local(last))
            if (wall.start(bounds[0]), wall.end(bounds[1])) == (first, last):
                return Span((first, last), where.name, bounds)
        return Span((first, last), "UTC", (first, last))

    def _wall(self, time: EventTime) -> Wall:
        return Wall.of(time.zone or self._home, wide=self._wide)
