"""Remarks on windows that end a minute, a day or an hour sooner than they seem to, or hold longer."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain, pairwise
from typing import Final

from app.core.instant import DAY, HOUR, LATEST, LOOK_AHEAD, MINUTE, format_instant
from app.core.interval import Interval, normalise
from app.core.notation import WEEKDAYS, YearBound, format_time_of_day
from app.core.policy import Effect, Policy
from app.core.wallclock import Wall, Zone, calendar_date, local_day, weekday
from app.core.windows import WindowEntry
from app.core.windows.daily import Daily
from app.core.windows.dates import Dates
from app.core.windows.weekly import Weekly
from app.core.windows.yearly import Yearly
from app.policies.lint.cron import Remark

LAST_MINUTE: Final = DAY - MINUTE
_WEEK: Final = 7 * DAY
_YEAR: Final = 366
_NEARLY_A_WEEK: Final = 6 * DAY
_NEARLY_A_DAY: Final = 22 * HOUR
_NEARLY_A_YEAR: Final = 300
"""Days."""
_HALF_A_DAY: Final = 12 * HOUR


def daily_remarks(window: Daily, *, freezes: bool) -> Iterator[Remark]:
    """Yield remarks on a daily window; `freezes` if deploys are refused while it is open."""
    start, end = window.from_, window.to
    if LAST_MINUTE <= end < DAY:
        yield ("to",), before_midnight(end, "24:00")
        return
    length = (end - start) % DAY or DAY
    a, b = format_time_of_day(start), format_time_of_day(end)
    if freezes and _NEARLY_A_DAY < length < DAY:
        sentence = (
            f"leaves only {b} to {a} open; if the other way round is meant, swap from and to; if not, say "
            "when it is open, with effect: allow-only"
        )
        yield ("to",), sentence
    elif not freezes and end < start and length > _HALF_A_DAY:
        sentence = (
            f"opens the night, from {a} to {b} of the day after; if the day is meant, swap from and to; if "
            f"the night is, write two windows, {a} to 24:00 and 00:00 to {b}"
        )
        yield ("to",), sentence + ("" if window.is_daily else " on the days after")


def weekly_remarks(window: Weekly, now: int, *, freezes: bool) -> Iterator[Remark]:
    """Yield remarks on a weekly window; `freezes` if deploys are refused while it is open."""
    if window.starting is not None:
        yield from _on_starting(window, window.starting, now, freezes=freezes)
    said = _on_end_of_week(window, freezes=freezes)
    if said is not None:
        yield ("to",), said


def _on_end_of_week(window: Weekly, *, freezes: bool) -> str | None:
    start, end = window.from_, window.to
    length = (end.offset - start.offset) % _WEEK
    if end.time >= LAST_MINUTE:
        return before_midnight(end.time, f"{WEEKDAYS[(end.weekday + 1) % 7]} 00:00")
    if not freezes and length > DAY and 0 < start.time < end.time:
        return _on_nights(window)
    # Where only some weeks count, the others are open: then even a whole week is plausible.
    return _on_long_week(length, freezes=freezes) if window.every is None else None


def _on_long_week(length: int, *, freezes: bool) -> str | None:
    if length == 0:
        return "from and to are equal, so it holds the whole week; write always: true if that is meant"
    if not freezes or length <= _NEARLY_A_WEEK:
        return None
    return (
        f"holds for {length // DAY} d {length % DAY // HOUR} h of the week; if the other way round is meant, "
        "swap from and to; if not, say when it is open, with effect: allow-only"
    )


def _on_nights(window: Weekly) -> str:
    first, last = WEEKDAYS[window.from_.weekday], WEEKDAYS[window.to.weekday]
    a, b = format_time_of_day(window.from_.time), format_time_of_day(window.to.time)
    if window.every is not None:
        return (
            "opens the nights in between, too; if hours of each day are meant, write a window for each day, "
            f"the first of them from {first} {a} to {first} {b}"
        )
    return (
        f"opens the nights in between, too; if hours of each day are meant, write daily: {{days: "
        f'[{first}-{last}], from: "{a}", to: "{b}"}}; if the nights are, say when it is closed, '
        f"with effect: deny, from {last} {b} to {first} {a}"
    )


def _on_starting(window: Weekly, starting: int, now: int, *, freezes: bool) -> Iterator[Remark]:
    """Remark on weeks counted from another day than the first opening, or from one to come."""
    monday = starting - weekday(starting)
    opens = monday + window.from_.weekday
    if opens != starting:
        follows = opens if opens > starting else opens + 7
        other = "" if follows == opens else f", or {calendar_date(follows)} for the week after"
        sentence = (
            f"is a {calendar_date(starting):%A}, and the window opens on {calendar_date(opens):%A}s: weeks "
            f"begin on Monday, so it counts from {calendar_date(opens)}; write {calendar_date(opens)}{other}"
        )
        yield ("starting",), sentence
    first = window.first_after(now // DAY)
    if not freezes and first < opens:
        sentence = (
            f"opens on {calendar_date(first)} already, because weeks before this date count as well; if it "
            f"is to open from {calendar_date(opens)} on only, freeze the openings before it in a policy of "
            "its own, with dates"
        )
        yield ("starting",), sentence


def dates_remarks(window: Dates) -> Iterator[Remark]:
    """Yield remarks on a window of dates."""
    bound = window.to
    if bound.time is not None:
        day, before = calendar_date(bound.day), calendar_date(bound.day - 1)
        yield from ((("to",), said) for said in _on_last_time(bound.time, f"{day}", f"{before}"))


def yearly_remarks(window: Yearly, *, freezes: bool) -> Iterator[Remark]:
    """Yield remarks on a yearly window; `freezes` if deploys are refused while it is open."""
    start, end = window.from_, window.to
    first, last = f"{start.month:02}-{start.day:02}", f"{end.month:02}-{end.day:02}"
    if first == last == "02-29":
        yield (
            ("from",),
            (
                "is empty in three years of four, in which 02-29 means 03-01 00:00; write from: 02-28 or "
                "to: 03-01"
            ),
        )
    if end.time is not None:
        before = f"{calendar_date(_day_of_year(end) - 1):%m-%d}"
        yield from ((("to",), said) for said in _on_last_time(end.time, last, before))
    if freezes and (_day_of_year(end) - _day_of_year(start)) % _YEAR > _NEARLY_A_YEAR:
        yield (
            ("to",),
            (
                f"holds nearly the whole year; if the days from {last} to {first} are meant, swap from "
                "and to; if not, "
                "say when it is open, with effect: allow-only"
            ),
        )


def _day_of_year(bound: YearBound) -> int:
    """Return the number of a bound's day in a leap year."""
    return local_day(date(2000, bound.month, bound.day))


def _on_last_time(time: int, day: str, before: str) -> Iterator[str]:
    if time >= LAST_MINUTE:
        yield before_midnight(time, f"{day}, which includes that day")
    elif time == 0:
        sentence = "is the beginning of that day, so nothing of it is included"
        yield f"{sentence}; write {day} to include it, {before} if not"


def before_midnight(time: int, write: str) -> str:
    """Return the remark on an end a minute before midnight, or less."""
    return (
        f"the end is not included: it is over at {format_time_of_day(time)}, before midnight; write {write}"
    )


def hole(policy: Policy, zones: Sequence[Zone], now: int) -> str | None:
    """Return the sentence on the first gap of up to a minute between windows of a policy, of any kind.

    A single window has no gaps, except for cron, between its firings.
    """
    kinds = {entry.kind for entry in policy.when}
    if len(policy.when) == 1 and kinds != {"cron"}:
        return None
    span = now, min(now + _horizon(policy.when), LATEST)
    found = (
        _on_gap(end, start, zone)
        for zone in zones
        for end, start in _short_gaps(policy, zone, span)
        # An end at 23:59 has its own remark, except for cron.
        if "cron" in kinds or zone.local(end) % DAY < LAST_MINUTE
    )
    return next(found, None)


def _short_gaps(policy: Policy, zone: Zone, span: Interval) -> Iterator[Interval]:
    """Yield the gaps of up to a minute between a policy's windows within a span."""
    wall = Wall.of(zone, wide=policy.effect is not Effect.ALLOW_ONLY)
    held = normalise(chain.from_iterable(entry.window.intervals(span, wall) for entry in policy.when))
    for (_, end), (start, _) in pairwise(held):
        if start - end <= MINUTE and span[0] < end < span[1]:
            yield end, start


def _horizon(entries: Sequence[WindowEntry]) -> int:
    """Return the seconds ahead that gaps are searched: until all windows have met, if that is cheap."""
    if all(entry.window.week() is not None for entry in entries):
        return 8 * DAY
    return 62 * DAY if any(entry.kind == "cron" for entry in entries) else LOOK_AHEAD


def _on_gap(end: int, start: int, zone: Zone) -> str:
    shown = zone.local(end)
    length = "a minute" if start - end == MINUTE else f"{start - end} s"
    return (
        f"leaves a hole of {length} between two windows, from {calendar_date(shown // DAY)} "
        f"{format_time_of_day(shown % DAY)} on ({format_instant(end)}); an end is not included, so let "
        "the one "
        "end when the other begins"
    )
