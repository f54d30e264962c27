"""Stretches of time that recur, such as every Friday from 14:00 to 15:00: named once, and counted."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from app.core.diff.result import Hours
from app.core.explain import local_time, zone_label
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import format_time_of_day
from app.core.wallclock import Zone, weekday

_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FEW: Final = 2
"""Weekdays up to which each is named; more in a row are a range."""


class Occurrence(NamedTuple):
    """Stretches that begin and end at the same times of day, so many days apart."""

    shape: "Shape"
    words: str
    """``Fri 14:00 to 15:00``, ``Mon to Thu 18:00 to 06:00 the next day``."""
    stretches: tuple[Interval, ...]
    """In order."""
    days: tuple[int, ...]
    """The local days on which they begin, by number."""

    @property
    def opens(self) -> bool:
        """Whether they open, or else close."""
        return self.shape.opens

    @property
    def times(self) -> int:
        """How many there are."""
        return len(self.stretches)

    @property
    def first(self) -> Interval:
        """The first of them."""
        return self.stretches[0]

    @property
    def last(self) -> Interval:
        """The last of them."""
        return self.stretches[-1]

    @property
    def skipped(self) -> tuple[int, ...]:
        """The days in between with the same weekdays, on which none begins."""
        there, weekdays = set(self.days), set(map(weekday, self.days))
        between = range(self.days[0], self.days[-1])
        return tuple(day for day in between if weekday(day) in weekdays and day not in there)


class Shape(NamedTuple):
    """The times of day, and how many days apart."""

    opens: bool
    start: int
    """Seconds since local midnight."""
    days: int
    """Days from the one it starts on to the one it ends on."""
    end: int


def occurrences(hours: Iterable[Hours], zone: Zone) -> list[Occurrence]:
    """Return the stretches by their times of day, in the order in which the first of each begins."""
    found: dict[Shape, list[Interval]] = {}
    for each in hours:
        found.setdefault(_shape(each, zone), []).append((each.start, each.end))
    return [
        Occurrence(
            shape,
            _words(shape, stretches, zone),
            tuple(stretches),
            tuple(zone.local(start) // DAY for start, _ in stretches),
        )
        for shape, stretches in found.items()
    ]


def _shape(hours: Hours, zone: Zone) -> Shape:
    start, end = zone.local(hours.start), zone.local(hours.end)
    days = end // DAY - start // DAY
    if not end % DAY and days:
        # Midnight is the end of the day before.
        return Shape(hours.opens, start % DAY, days - 1, DAY)
    return Shape(hours.opens, start % DAY, days, end % DAY)


def span_in_words(stretch: Interval, zone: Zone, seen_from: int) -> str:
    """Return ``Fri 4 Dec 14:00 to 15:00 CET``; with the second date only where it is another."""
    start, end = (local_time(at, zone, seen_from) for at in stretch)
    days = {zone.local(at) // DAY for at in stretch}
    labels = {zone_label(at, zone) for at in stretch}
    if len(days) > 1 or len(labels) > 1:
        return f"{start} to {end}"
    (label,) = labels
    return f"{start.removesuffix(label)}to {format_time_of_day(zone.local(stretch[1]) % DAY)} {label}"


def _words(shape: Shape, stretches: Iterable[Interval], zone: Zone) -> str:
    days = sorted({weekday(zone.local(start) // DAY) for start, _ in stretches})
    start, end = format_time_of_day(shape.start), format_time_of_day(shape.end)
    if shape.days and len(days) == 1:
        end = f"{_NAMES[(days[0] + shape.days) % len(_NAMES)]} {end}"
    elif shape.days:
        end = f"{end} the next day" if shape.days == 1 else f"{end} {shape.days} days later"
    return f"{_days(days)} {start} to {end}"


def _days(days: Sequence[int]) -> str:
    """Return ``Fri``, ``Mon to Fri``, ``Mon, Wed`` or ``daily``."""
    if len(days) == len(_NAMES):
        return "daily"
    first, last = days[0], days[-1]
    if last - first == len(days) - 1 and len(days) > _FEW:
        return f"{_NAMES[first]} to {_NAMES[last]}"
    return ", ".join(_NAMES[day] for day in days)
