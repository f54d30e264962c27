"""The windows of a policy that recur on the wall clock of one zone, for programs that know cron expressions.

A cron expression has whole minutes, and programs differ in hours that the clocks skip or repeat. So windows
with seconds, or with a bound in such an hour within ten years, don't count as recurring.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain, filterfalse
from typing import Final, NamedTuple

from app.core.instant import DAY, MINUTE
from app.core.interval import Interval, clip, complement, normalise, subtract
from app.core.notation import YearBound
from app.core.policy import Effect, Policy
from app.core.wallclock import Zone, calendar_date, local_day, weekday
from app.core.windows import WindowEntry
from app.core.windows.yearly import Yearly

WEEK: Final = 7 * DAY
_MEANT: Final = 2 * WEEK
"""The start of the week that is read; two others on either side hold what reaches into it."""

_YEARS: Final = 10


class WeeklySpan(NamedTuple):
    """A span that recurs on some weekdays; on the wall clock of a zone."""

    zone: Zone
    weekdays: tuple[int, ...]
    """Of its start; Monday is 0."""
    time: int
    length: int

    @property
    def is_endless(self) -> bool:
        """Whether it covers the whole week."""
        return self.length >= DAY and len(self.weekdays) * DAY == WEEK


class YearlySpan(NamedTuple):
    """A span that recurs every year, with the same length; on the wall clock of a zone."""

    zone: Zone
    start: YearBound
    end: YearBound
    length: int


class Parts(NamedTuple):
    """The parts of a policy's freezes."""

    weekly: Sequence[WeeklySpan]
    yearly: Sequence[YearlySpan]
    rest: Policy | None
    """The policy with the windows that don't recur; None if there are none."""


def parts_of(policy: Policy, zone: Zone, now: int) -> Parts:
    """Split the freezes of a policy into those that recur and the rest."""
    if policy.effect is Effect.ALLOW_ONLY or policy.except_when:
        whole = _weekly(policy, zone, now)
        return Parts((), (), policy) if whole is None else Parts(whole, (), None)
    regular = list(filter(_has_week, policy.when))
    weekly = _weekly(policy.model_copy(update={"when": regular}), zone, now)
    others = policy.when if weekly is None else list(filterfalse(_has_week, policy.when))
    yearly, rest = _split(others, zone, now)
    return Parts(weekly or (), yearly, policy.model_copy(update={"when": rest}) if rest else None)


def _has_week(entry: WindowEntry) -> bool:
    return entry.window.week() is not None


def _split(
    entries: Iterable[WindowEntry], zone: Zone, now: int
) -> tuple[list[YearlySpan], list[WindowEntry]]:
    """Return the yearly spans of windows, and the windows that are none."""
    spans = [(entry, _yearly(entry, zone, now)) for entry in entries]
    return [span for _, span in spans if span is not None], [entry for entry, span in spans if span is None]


def _weekly(policy: Policy, zone: Zone, now: int) -> list[WeeklySpan] | None:
    """Return the freezes of a policy if they are the same every week; else None."""
    opened, taken = _in_week(policy.when), _in_week(policy.except_when)
    if opened is None or taken is None:
        return None
    bounds = set(chain.from_iterable((*opened, *taken)))
    if any(bound % MINUTE for bound in bounds) or not all(_is_regular(bound, zone, now) for bound in bounds):
        return None
    around = (WEEK, 4 * WEEK)
    held = subtract(_unrolled(opened), _unrolled(taken))
    if policy.effect is Effect.ALLOW_ONLY:
        held = complement(held, around)
    return _grouped(clip(held, around), zone)


def _grouped(held: Sequence[Interval], zone: Zone) -> list[WeeklySpan]:
    """Return the spans that begin in the meant week, those of one time and length together."""
    if any(start <= _MEANT and end >= _MEANT + WEEK for start, end in held):
        return [WeeklySpan(zone, tuple(range(7)), 0, DAY)]
    days: dict[tuple[int, int], list[int]] = {}
    for start, end in held:
        if _MEANT <= start < _MEANT + WEEK:
            days.setdefault((start % DAY, end - start), []).append(start // DAY % 7)
    return [WeeklySpan(zone, tuple(sorted(on)), time, length) for (time, length), on in days.items()]


def _in_week(entries: Iterable[WindowEntry]) -> list[Interval] | None:
    weeks = [entry.window.week() for entry in entries]
    return None if None in weeks else [interval for week in weeks for interval in week or ()]


def _unrolled(week: Sequence[Interval]) -> list[Interval]:
    """Return the intervals of a week, and of the weeks around it."""
    return normalise((start + shift * WEEK, end + shift * WEEK) for start, end in week for shift in range(5))


def _is_regular(bound: int, zone: Zone, now: int) -> bool:
    """Return whether a bound, in seconds of the week, exists exactly once in each coming week."""
    if zone.is_fixed:
        return True
    today = zone.local(now) // DAY
    monday = today - weekday(today)
    return all(_exists_once((monday + 7 * week) * DAY + bound, zone) for week in range(-1, 53 * _YEARS))


def _exists_once(local: int, zone: Zone) -> bool:
    return len(zone.showing(local)) == 1


def _yearly(entry: WindowEntry, zone: Zone, now: int) -> YearlySpan | None:
    """Return a yearly window that is equally long in every year; else None."""
    window = entry.window
    if not isinstance(window, Yearly) or (2, 29) in (window.from_[:2], window.to[:2]):
        return None
    this_year = calendar_date(zone.local(now) // DAY).year
    spans = _in_years(window, range(this_year - 1, this_year + _YEARS))
    start, end = spans[0]
    if len({(end - start, _bound(end)) for start, end in spans}) > 1:
        return None
    bounds = chain.from_iterable(spans)
    is_sayable = all(bound % MINUTE == 0 and _exists_once(bound, zone) for bound in bounds)
    return YearlySpan(zone, _bound(start), _bound(end), end - start) if is_sayable else None


def _in_years(window: Yearly, years: Iterable[int]) -> list[Interval]:
    return [_in_year(window, year) for year in years]


def _in_year(window: Yearly, year: int) -> Interval:
    """Return the local bounds of the window that opens in a year."""
    first, last = window.from_, window.to
    start = _local(year, first, first.time or 0)
    end = _local(year, last, DAY if last.time is None else last.time)
    return start, end if end > start else _local(year + 1, last, DAY if last.time is None else last.time)


def _local(year: int, bound: YearBound, time: int) -> int:
    return local_day(date(year, bound.month, bound.day)) * DAY + time


def _bound(local: int) -> YearBound:
    day = calendar_date(local // DAY)
    return YearBound(day.month, day.day, local % DAY)
