"""Describe a cron expression in words: "18:00 every Friday".

The words come from what the expression expands to, not from how it is written, so they can't contradict it.
If they would be long or hard to follow there are none, and the expression itself is shown.
"""

import calendar
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from app.core.cron_expression import Schedule, read_expression
from app.core.instant import DAY, HOUR, MINUTE
from app.core.notation import format_time_of_day

_MOST_TIMES: Final = 4
_MOST_DAYS: Final = 6
_RUN: Final = 3
"""Runs of at least this many neighbours are shortened to "first to last"."""

_OF_MONTH: Final = " of the month"
_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")
_MONTHS: Final = 12


class Described(NamedTuple):
    """The words for an expression."""

    text: str
    """``18:00 every Friday``, ``every 15 minutes on the last day of the month``."""
    is_time: bool
    """Whether it begins with a time of day, and not with an interval."""


def describe(text: str) -> Described | None:
    """Describe when an expression fires; None if its five fields are clearer."""
    schedule = read_expression(text)
    times, days, months = _times(schedule.times), _days(schedule), _months(schedule.months)
    if times is None or days is None or months is None:
        return None
    return _combined(times, days, months)


def _combined(times: Described, days: str, months: str) -> Described:
    if months and days.endswith(_OF_MONTH):
        days, months = days.removesuffix(_OF_MONTH), f" of {months}"
    elif months:
        months = f" in {months}" if times.is_time or days == "every day" else f", in {months}"
    if times.is_time:
        return Described(f"{times.text} {days}{months}", is_time=True)
    on = "" if days == "every day" else f", {days}"
    return Described(f"{times.text}{on}{months}", is_time=False)


def _times(times: Sequence[int]) -> Described | None:
    if len(times) <= _MOST_TIMES:
        return Described(_joined([format_time_of_day(time) for time in times]), is_time=True)
    steps = {later - time for time, later in pairwise(times)}
    if len(steps) > 1:
        return None
    (step,) = steps
    often = f"every {_length(step)}"
    if step * len(times) == DAY:
        past = "" if times[0] == 0 else f", from {format_time_of_day(times[0])} on"
        return Described(often + past, is_time=False)
    between = f" from {format_time_of_day(times[0])} to {format_time_of_day(times[-1])}"
    return Described(often + between, is_time=False)


def _length(step: int) -> str:
    count, unit = (step // HOUR, "hour") if step % HOUR == 0 else (step // MINUTE, "minute")
    return unit if count == 1 else f"{count} {unit}s"


def _days(schedule: Schedule) -> str | None:
    """Describe the days: of the month, of the week, either or both."""
    of_month, of_week = _of_month(schedule), _of_week(schedule)
    if of_month is None or of_week is None:
        return None
    if schedule.takes_every_day_of_month and schedule.takes_every_weekday:
        return "every day"
    if schedule.both:
        if schedule.takes_every_day_of_month:
            return of_week
        return of_month if schedule.takes_every_weekday else None
    if schedule.takes_every_day_of_month or schedule.takes_every_weekday:
        return "every day"
    return f"{of_month} and {of_week}"


def _of_month(schedule: Schedule) -> str | None:
    if schedule.takes_every_day_of_month:
        return "every day"
    days = sorted(day for day in schedule.days if day > 0)
    named = [_span(run, _nth) for run in _runs(days)]
    named += ["last day"] * schedule.last_day
    named += ["last day that is no Saturday or Sunday"] * schedule.last_working_day
    return f"on the {_joined(named)}{_OF_MONTH}" if len(named) <= _MOST_DAYS else None


def _of_week(schedule: Schedule) -> str | None:
    if schedule.takes_every_weekday:
        return "every day"
    # Weeks are listed from Monday on.
    days = sorted((day - 1) % 7 for day in schedule.weekdays)
    plain = [_span(run, lambda day: _WEEKDAYS[(day + 1) % 7]) for run in _runs(days)]
    found = []
    if plain:
        found.append(f"every {_joined(plain)}")
    in_month = _weekdays_of_month(schedule)
    if in_month:
        found.append(f"on the {_joined(in_month)}{_OF_MONTH}")
    return " and ".join(found) if len(plain) + len(in_month) <= _MOST_DAYS else None


def _weekdays_of_month(schedule: Schedule) -> list[str]:
    nth = [f"{_ORDINALS[nth - 1]} {_WEEKDAYS[day]}" for day, nth in sorted(schedule.nth_weekdays)]
    return nth + [f"last {_WEEKDAYS[day]}" for day in sorted(schedule.last_weekdays)]


def _months(months: Iterable[int]) -> str | None:
    listed = sorted(months)
    if len(listed) == _MONTHS:
        return ""
    named = [_span(run, lambda month: calendar.month_name[month]) for run in _runs(listed)]
    return _joined(named) if len(named) <= _MOST_DAYS else None


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Group ascending numbers into runs of neighbours."""
    run: tuple[int, ...] = ()
    for number in numbers:
        if run and number != run[-1] + 1:
            yield from _cut(run)
            run = ()
        run = (*run, number)
    yield from _cut(run)


def _cut(run: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if len(run) >= _RUN:
        yield run
    else:
        yield from ((number,) for number in run)


def _span(run: tuple[int, ...], name: Callable[[int], str]) -> str:
    return name(run[0]) if len(run) == 1 else f"{name(run[0])} to {name(run[-1])}"


def _nth(number: int) -> str:
    """Return ``1st``, ``22nd``, ``13th``."""
    teens = range(11, 14)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number not in teens else "th"
    return f"{number}{ending}"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
