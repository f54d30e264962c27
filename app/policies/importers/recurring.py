"""Times that recur by the fields of a cron expression, of any dialect, and the windows that they open."""

import calendar
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.interval import Interval, normalise
from app.core.notation import WEEKDAYS
from app.core.wallclock import Regimes, calendar_date, local_day
from app.policies.importers.wall_windows import Window, cron_numbers, day_names, time_text

MONTHS: Final = frozenset(range(1, 13))
MOST_WINDOWS: Final = 60
"""Windows of one policy: more are no rule that anyone reads."""

_MINUTES, _HOURS, _MONTH_DAYS = frozenset(range(60)), frozenset(range(24)), frozenset(range(1, 32))
_WEEK: Final = 7 * DAY
_YEARS: Final = (2026, 2027, 2028)
"""A year far from leap years, one before, and one that is one."""
_SHORTEST_MONTH: Final = 28
_LEAP_DAY: Final = (2, 29)
_LONGEST: Final = 365 * DAY
_YEARS_BACK: Final = 9
"""29 February may be eight years apart."""


@dataclass(frozen=True)
class Firings:
    """The fields of a cron expression; None for a field that restricts nothing. Sunday is 0.

    With both days of the month and weekdays, either is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    month_days: frozenset[int] | None = None
    """-1 is the last day of a month."""
    months: frozenset[int] = MONTHS
    weekdays: frozenset[int] | None = None
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    """A weekday and its number within the month; -1 is the last."""

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Seconds of the day, in order."""
        return tuple(sorted(hour * HOUR + minute * MINUTE for hour in self.hours for minute in self.minutes))

    @property
    def is_weekly(self) -> bool:
        """Whether every week is the same."""
        return self.months == MONTHS and self.month_days is None and not self.nth_weekdays

    @property
    def has_wildcard(self) -> bool:
        """Whether its minutes or hours are written as a star."""
        return self.minutes == _MINUTES or self.hours == _HOURS

    def fires_on(self, on: date) -> bool:
        """Return whether it fires on a calendar day."""
        if on.month not in self.months:
            return False
        by_week = self.weekdays is not None or bool(self.nth_weekdays)
        if self.month_days is None:
            return not by_week or self._fires_in_week(on)
        return self._fires_in_month(on) or (by_week and self._fires_in_week(on))

    def _fires_in_month(self, on: date) -> bool:
        days = self.month_days or ()
        return on.day in days or on.day - calendar.monthrange(on.year, on.month)[1] - 1 in days

    def _fires_in_week(self, on: date) -> bool:
        number = on.isoweekday() % 7
        if number in (self.weekdays or ()):
            return True
        from_end = -((calendar.monthrange(on.year, on.month)[1] - on.day) // 7 + 1)
        return not {(number, (on.day - 1) // 7 + 1), (number, from_end)}.isdisjoint(self.nth_weekdays)

    def days_before(self, day: int) -> Iterator[int]:
        """Yield the numbers of the days on which it fires, from `day` back, for some years."""
        on = calendar_date(day)
        month = on.year * 12 + on.month - 1
        for back in range(_YEARS_BACK * 12):
            year, index = divmod(month - back, 12)
            if index + 1 not in self.months:
                continue
            last = on.day if back == 0 else calendar.monthrange(year, index + 1)[1]
            for number in range(last, 0, -1):
                if self.fires_on(each := date(year, index + 1, number)):
                    yield local_day(each)

    def last_on_wall(self, local: int) -> int | None:
        """Return the last local time at or before another at which it fires, on a clock without changes."""
        for day in self.days_before(local // DAY):
            if before := [time for time in self.times if day * DAY + time <= local]:
                return day * DAY + before[-1]
        return None

    def last(self, instant: int, clock: Regimes) -> int | None:
        """Return the last instant at or before another at which a clock shows one of its times.

        A time that is skipped doesn't count; one that is shown twice counts twice.
        """
        found: list[int] = []
        days = 0
        for day in self.days_before(clock.local(instant) // DAY + 1):
            shown = (each for time in self.times for each in clock.showing(day * DAY + time))
            found += [each for each in shown if each <= instant]
            days += bool(found)
            if days > 1:  # around a change of the clock, the day before may fire later
                break
        return max(found, default=None)

    def cron(self) -> str:
        """Return it as an expression of policies.yaml, which has Debian's rules.

        Raises:
            MalformedValueError: no expression means the same.
        """
        days = "*" if self.month_days is None else _month_days(self.month_days)
        weekdays = "*"
        if self.weekdays is not None or self.nth_weekdays:
            weekdays = ",".join([*filter(None, [cron_numbers(self.weekdays or ())]), *self._nth()])
        fields = (
            _field(self.minutes, _MINUTES),
            _field(self.hours, _HOURS),
            days,
            _field(self.months, MONTHS),
            weekdays,
        )
        return " ".join(fields)

    def _nth(self) -> list[str]:
        if any(nth < -1 for _, nth in self.nth_weekdays):
            raise MalformedValueError(
                "weekdays counted from the end of the month, but the last one, have no equal"
            )
        return [f"{day}L" if nth == -1 else f"{day}#{nth}" for day, nth in sorted(self.nth_weekdays)]


def _field(numbers: frozenset[int], every: frozenset[int]) -> str:
    return "*" if numbers == every else cron_numbers(numbers)


def _month_days(days: Collection[int]) -> str:
    if any(day < -1 for day in days):
        raise MalformedValueError("days counted from the end of the month, but the last one, have no equal")
    positive = cron_numbers({day for day in days if day > 0})
    return ",".join(filter(None, [positive, "L" if -1 in days else ""]))


class Lasting(NamedTuple):
    """Windows, the local times of their bounds, and whether some are longer than meant in leap years."""

    windows: Sequence[Window]
    bounds: Sequence[int]
    longer_in_leap_years: bool = False


def lasting_windows(firings: Firings, length: int, *, freezes: bool) -> Lasting:
    """Return windows from each firing for a length on the wall clock: an hour that is skipped counts.

    Args:
        firings: when they open.
        length: how long they are, in seconds.
        freezes: whether a window freezes; then one that can't be exact is longer, else shorter.

    Raises:
        MalformedValueError: policies can't express them.
    """
    ranges = normalise((time, time + length) for time in firings.times)
    if firings.is_weekly:
        found = _weekly(firings.weekdays, ranges)
    else:
        found = _dated(firings, ranges, freezes=freezes)
    if len(found.windows) > MOST_WINDOWS:
        raise MalformedValueError(
            f"it would take {len(found.windows)} windows; write it as one window of the whole period"
        )
    return found


def _weekly(weekdays: frozenset[int] | None, ranges: Sequence[Interval]) -> Lasting:
    """Return windows of a week; those that touch or overlap are one."""
    days = range(7) if weekdays is None else [(day - 1) % 7 for day in weekdays]
    opened = [(day * DAY + start, day * DAY + end) for day in days for start, end in ranges]
    joined = _on_circle(opened)
    if joined == [(0, _WEEK)]:
        return Lasting([{"always": True}], [])
    by_time: dict[tuple[int, int], set[int]] = {}
    windows: list[Window] = []
    for start, end in joined:
        if end - start < DAY or (end - start == DAY and start % DAY == 0):
            by_time.setdefault((start % DAY, end - start), set()).add(start // DAY)
        else:
            windows.append({"weekly": {"from": _week_time(start), "to": _week_time(end)}})
    for (time, length), on in by_time.items():
        until = DAY if time + length == DAY else (time + length) % DAY
        chosen = {} if len(on) == len(WEEKDAYS) else {"days": day_names(on)}
        windows.append({"daily": {**chosen, "from": time_text(time), "to": time_text(until)}})
    return Lasting(windows, [bound for each in joined for bound in each])


def _on_circle(opened: Sequence[Interval]) -> list[Interval]:
    """Return the union of intervals on the circle of a week; each begins within the week."""
    # Laid out for three weeks, the middle one has every junction.
    laid = normalise((start + week, end + week) for start, end in opened for week in (0, _WEEK, 2 * _WEEK))
    if len(laid) == 1 and laid[0][1] - laid[0][0] >= 2 * _WEEK:
        return [(0, _WEEK)]
    return [(start - _WEEK, end - _WEEK) for start, end in laid if _WEEK <= start < 2 * _WEEK]


def _week_time(seconds: int) -> str:
    day, time = divmod(seconds % _WEEK, DAY)
    return f"{WEEKDAYS[day]} {time_text(time)}"


def _dated(firings: Firings, ranges: Sequence[Interval], *, freezes: bool) -> Lasting:
    """Return `cron` windows with an end on the wall clock."""
    windows: list[Window] = []
    bounds: list[int] = []
    longer = False
    for start, end in ranges:
        bounds += [start, end]
        if end - start <= DAY:
            windows.append(_cron(start, firings, end, "* * *"))
            continue
        if firings.nth_weekdays:
            raise MalformedValueError(
                "windows of more than a day, from the n-th weekday of a month, have no equal"
            )
        if firings.weekdays is not None:
            windows += _from_weekdays(firings, start, end)
        if firings.month_days is not None:
            found, is_longer = _from_month_days(firings, start, end, freezes=freezes)
            windows += found
            longer |= is_longer
        if firings.weekdays is None and firings.month_days is None:
            every_day = Firings(firings.minutes, firings.hours, _MONTH_DAYS, firings.months)
            found, is_longer = _from_month_days(every_day, start, end, freezes=freezes)
            windows += found
            longer |= is_longer
    return Lasting(windows, bounds, longer)


def _cron(start: int, on: Firings, end: int, end_days: str) -> Window:
    opening = Firings(
        frozenset({start % HOUR // MINUTE}),
        frozenset({start // HOUR}),
        on.month_days,
        on.months,
        on.weekdays,
        on.nth_weekdays,
    )
    end_time = end % DAY
    return {
        "cron": {"start": opening.cron(), "end": f"{end_time % HOUR // MINUTE} {end_time // HOUR} {end_days}"}
    }


def _from_weekdays(firings: Firings, start: int, end: int) -> Iterator[Window]:
    """Yield a window for each weekday: it ends on the next day of another one."""
    if end - start > _WEEK:
        raise MalformedValueError("windows of more than a week, on weekdays of some months, have no equal")
    for day in sorted(firings.weekdays or ()):
        on = Firings(firings.minutes, firings.hours, None, firings.months, frozenset({day}))
        yield _cron(start, on, end, f"* * {(day + end // DAY) % 7}")


def _from_month_days(firings: Firings, start: int, end: int, *, freezes: bool) -> tuple[list[Window], bool]:
    """Return windows for each day of the month: they end on a date that the month determines.

    Past the end of February, that date is another one in leap years; the later one is taken for a freeze.
    """
    if end - start >= _LONGEST:
        raise MalformedValueError("windows of a year or more have no equal")
    if any(day < 0 for day in firings.month_days or ()):
        raise MalformedValueError("windows of more than a day, from the last day of the month, have no equal")
    days = end // DAY
    grouped: dict[tuple[int, int, int | None], set[int]] = {}
    fixed: dict[tuple[int, int], tuple[int, int, int]] = {}
    longer = False
    for day in sorted(firings.month_days or ()):
        for month in sorted(firings.months):
            ends = _end_dates(month, day, days)
            if not ends:
                continue
            longer |= len(ends) > 1
            if len(ends) == 1 and (month, day) != _LEAP_DAY:
                fixed[day, month] = min(ends)
            _, last_month, last_day = max(ends) if freezes else min(ends)
            # Within four weeks, the next such day of any month is the one that is meant.
            key = (day, last_day, None if days < _SHORTEST_MONTH else last_month)
            grouped.setdefault(key, set()).add(month)
    windows = [
        _yearly((min(months), day, start), (*fixed[day, min(months)][1:], end))
        if len(months) == 1 and (day, min(months)) in fixed
        else _cron(
            start,
            Firings(firings.minutes, firings.hours, frozenset({day}), frozenset(months)),
            end,
            f"{end_day} {end_month or '*'} *",
        )
        for (day, end_day, end_month), months in grouped.items()
    ]
    return windows, longer


def _yearly(start: tuple[int, int, int], end: tuple[int, int, int]) -> Window:
    """Return a window between two days of every year: month, day and seconds of each."""
    bounds = (f"{month:02}-{day:02} {time_text(time % DAY)}" for month, day, time in (start, end))
    return {"yearly": dict(zip(("from", "to"), bounds, strict=True))}


def _end_dates(month: int, day: int, days: int) -> set[tuple[int, int, int]]:
    """Return year after, month and day some days after a date: before, in and far from leap years."""
    ends = set()
    for year in _YEARS:
        if day <= calendar.monthrange(year, month)[1]:
            on = date(year, month, day) + timedelta(days)
            ends.add((on.year - year, on.month, on.day))
    return ends
