"""A year in words: its days, and its freezes."""

from typing import Final

from app.core.explain import undirected
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import format_time_of_day, waiting_time
from app.core.wallclock import Zone, calendar_date
from app.core.year.year import Year, YearDay, YearRule

_MOST_TOLD: Final = 6
"""Parts of a day that are told in its sentence."""


def day_name(number: int) -> str:
    """Return ``Fri 27 Nov 2026``."""
    day = calendar_date(number)
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def short_day(number: int) -> str:
    """Return ``Fri 27 Nov``."""
    return day_name(number).rpartition(" ")[0]


def shown_parts(day: YearDay, where: Zone) -> list[tuple[int, int, int]]:
    """Return (rule, start, end) of the frozen parts of a day, in seconds since midnight of its wall clock.

    An hour that is shown twice is frozen if either pass is; a skipped one belongs to the part around it.
    """
    midnight = day.number * DAY
    if len(day.pieces) == 1:
        start, end = day.pieces[0]
        offset = where.offset(start)
        if where.offset(end - 1) == offset:
            shift = offset - midnight
            return [(rule, first + shift, last + shift) for rule, first, last in day.parts]
    return [
        (part.rule, max(start - midnight, 0), min(end - midnight, DAY))
        for part in day.parts
        for start, end in where.shown(part.start, part.end)
    ]


def title_of(rule: YearRule) -> str:
    """Return the title of a rule, without a full stop."""
    return undirected(rule.title.rstrip("."))


def day_in_words(year: Year, day: YearDay) -> str:
    """Return the day, how long it is frozen, when and by which rules, and its holidays."""
    parts = shown_parts(day, year.zone)
    told = [
        f"{format_time_of_day(start)} to {format_time_of_day(end)} {title_of(year.rules[rule])}"
        for rule, start, end in parts[:_MOST_TOLD]
    ]
    if len(parts) > _MOST_TOLD:
        told.append(f"{len(parts) - _MOST_TOLD} more")
    sentence = f"{day_name(day.number)}: {_state(day, year.zone)}{': ' if told else ''}{'; '.join(told)}"
    names = ", ".join(undirected(each.name) for each in day.holidays)
    return f"{sentence}. Holiday: {names}" if names else sentence


def _state(day: YearDay, where: Zone) -> str:
    if not day.pieces:
        return f"skipped in {where.name}"
    if day.frozen in (0, day.seconds):
        return "frozen all day" if day.frozen else "open all day"
    return f"frozen {waiting_time(day.frozen)}"


def period_in_words(period: Interval, where: Zone) -> str:
    """Return ``Fri 27 Nov 14:00 to Mon 30 Nov 08:00``; a day that ends at midnight ends at 24:00."""
    start, end = where.local(period[0]), where.local(period[1] - 1) + 1
    first, last = start // DAY, (end - 1) // DAY
    until = format_time_of_day(end - last * DAY)
    begins = f"{short_day(first)} {format_time_of_day(start - first * DAY)}"
    return f"{begins} to {until}" if first == last else f"{begins} to {short_day(last)} {until}"
