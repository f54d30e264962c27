"""A year of an environment: how much of each day is frozen, by which rules, and the holidays that fall there.

Days are those of a wall clock. Usually a day is one interval of 23 to 25 hours; a zone may skip a day, and
where a clock is set back across midnight, a day comes in two pieces.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

from app.core.errors import FreezegateError
from app.core.freeze import Freeze
from app.core.holiday_calendar import Holiday, year_of
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import Interval, normalise
from app.core.policy import Policy, PolicySet
from app.core.rule_style import OTHERS, Style
from app.core.timeline import RuleTimeline
from app.core.wallclock import Zone, calendar_date, local_day
from app.core.windows.holidays import Holidays

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100

MOST_RULES: Final = 64
"""Rules that are told apart: as many as there are styles before the first repeats. The rest is one rule."""

MOST_PERIODS: Final = 20_000
"""Freezes in one year: two rules of every hour. A policy of every minute would fill hundreds of megabytes."""

_MOST_UNMERGED: Final = 10_000
"""Freezes of the remaining rules to collect before they are merged: they overlap, mostly. Sorting more
at once would hold the interpreter for too long."""

OTHERS_KIND: Final = "others"
"""The kind of several rules that are told as one."""

_AT_A_TIME: Final = 28 * DAY
"""The time for which a rule is computed at once, so that one of every minute is noticed early."""


_Piece = tuple[int, int, int]
"""Start, end, and the number of the day that they are in."""


class TooOftenError(FreezegateError):
    """The rules of a year change too often for it to be shown."""


class YearRequest(NamedTuple):
    """A request for a year: of a service, or of an environment without one."""

    year: int
    environment: str
    service: str | None = None
    change: str = "normal"


class YearRule(NamedTuple):
    """A rule, and its freezes in the year."""

    id: str
    """Empty for several rules that are told as one."""
    kind: str
    """``policy``, ``freeze``, or ``others``."""
    title: str
    style: Style
    periods: tuple[Interval, ...]
    """Sorted; cut to the year."""

    @property
    def seconds(self) -> int:
        """How long it freezes in the year."""
        return sum(end - start for start, end in self.periods)


class FrozenPart(NamedTuple):
    """A part of a day that a rule freezes; `rule` is its position in the year."""

    rule: int
    start: int
    end: int


class NamedHoliday(NamedTuple):
    """A holiday, and the calendars that have it by this name on the day."""

    name: str
    english_name: str
    calendars: tuple[str, ...]
    """Their countries, subdivisions or markets; none for a day that the policies add themselves."""


class YearDay(NamedTuple):
    """A day of the year."""

    number: int
    pieces: tuple[Interval, ...]
    """The instants of the day: one interval, none if the zone skips the day."""
    parts: tuple[FrozenPart, ...]
    """By rule, then by time."""
    frozen: int
    """Seconds in which anything freezes."""
    holidays: tuple[NamedHoliday, ...]

    @property
    def date(self) -> date:
        """The calendar date."""
        return calendar_date(self.number)

    @property
    def seconds(self) -> int:
        """The length of the day; 0 if the zone skips it."""
        return sum(end - start for start, end in self.pieces)


class Year(NamedTuple):
    """A year of a service or an environment."""

    request: YearRequest
    zone: Zone
    rules: tuple[YearRule, ...]
    """In the order in which answers name them: ad-hoc freezes first."""
    days: tuple[YearDay, ...]
    revision: str = ""

    @property
    def seconds(self) -> int:
        """How long the year is frozen."""
        return sum(day.frozen for day in self.days)


def year_span(year: int, where: Zone) -> Interval:
    """Return the instants of a year on a wall clock, cut to the supported ones."""
    first, after = local_day(date(year, 1, 1)), local_day(date(year + 1, 1, 1))
    return max(where.earliest(first * DAY), EARLIEST), min(where.latest(after * DAY), LATEST)


def rules_of(
    timelines: Iterable[RuleTimeline], span: Interval, styles: Mapping[str, Style]
) -> list[YearRule]:
    """Return the rules that freeze anything in a span; those after the first `MOST_RULES` as one.

    Raises:
        TooOftenError: there are more than `MOST_PERIODS` freezes.
    """
    rules: list[YearRule] = []
    others = _Others()
    left = MOST_PERIODS
    for line in timelines:
        periods = _periods(line, span)
        if not periods:
            continue
        rule = line.rule
        if len(rules) < MOST_RULES:
            rules.append(YearRule(rule.id, rule.kind, rule.title, styles[rule.id], periods))
            left -= len(periods)
            _check(left, rule.id)
        else:
            others.add(periods)
            _check(2 * MOST_PERIODS - others.merged, rule.id)
    if others.rules:
        periods = others.periods()
        _check(left - len(periods), f"{others.rules} others")
        rules.append(YearRule("", OTHERS_KIND, f"{others.rules} other policies", OTHERS, periods))
    return rules


class _Others:
    """The rules that are told as one: their freezes, merged now and then."""

    def __init__(self) -> None:
        self.rules = 0
        self.merged = 0
        """Freezes after the last merge."""
        self._periods: list[Interval] = []

    def add(self, periods: Iterable[Interval]) -> None:
        """Add a rule. Merging waits until there is much to merge, so that its work stays in proportion."""
        self.rules += 1
        self._periods.extend(periods)
        if len(self._periods) > 2 * self.merged + _MOST_UNMERGED:
            self._periods = normalise(self._periods)
            self.merged = len(self._periods)

    def periods(self) -> tuple[Interval, ...]:
        """Return the union of the freezes of all of them."""
        return tuple(normalise(self._periods))


def _check(left: int, last: str) -> None:
    if left < 0:
        raise TooOftenError(
            f"the rules up to {last} freeze more than {MOST_PERIODS:,} times a year, too often "
            "for a picture; ask /schedule for a few days at a time"
        )


def _periods(line: RuleTimeline, span: Interval) -> tuple[Interval, ...]:
    """Return when a rule is active; a few weeks at a time if it opens often."""
    rule = line.rule
    if isinstance(rule, Freeze) or _per_day(rule) * 366 <= MOST_PERIODS:
        return tuple(line.intervals(span))
    found: list[Interval] = []
    for first in range(span[0], span[1], _AT_A_TIME):
        found.extend(line.intervals((first, min(first + _AT_A_TIME, span[1]))))
        _check(MOST_PERIODS - len(found), rule.id)
    return tuple(normalise(found))


def _per_day(policy: Policy) -> int:
    return sum(entry.window.per_day() for entry in (*policy.when, *policy.except_when))


def holidays_of(policy_set: PolicySet, year: int) -> dict[int, tuple[NamedHoliday, ...]]:
    """Return the holidays of each day that windows of the policies select, by the number of the day."""
    found: dict[int, dict[str, NamedHoliday]] = {}
    for day, holiday, label in _selected_holidays(policy_set, year):
        of_day = found.setdefault(day, {})
        known = of_day.get(holiday.name) or NamedHoliday(holiday.name, holiday.english_name, ())
        added = () if holiday.is_added or not label or label in known.calendars else (label,)
        of_day[holiday.name] = known._replace(calendars=known.calendars + added)
    return {day: tuple(named.values()) for day, named in sorted(found.items())}


def _selected_holidays(policy_set: PolicySet, year: int) -> Iterator[tuple[int, Holiday, str]]:
    """Yield (day, holiday, name of its calendar) for each holiday that a window selects."""
    for window in _holiday_windows(policy_set):
        calendar = window.calendar
        label = "-".join(filter(None, (calendar.market or calendar.country, calendar.subdivision)))
        for day, holidays in year_of(calendar, year).holidays.items():
            yield from ((day, holiday, label) for holiday in filter(window.selects, holidays))


def _holiday_windows(policy_set: PolicySet) -> Iterable[Holidays]:
    """Return the windows of holidays, each calendar and selection once."""
    windows = (
        entry.holidays
        for policy in policy_set.policies
        for entry in chain(policy.when, policy.except_when)
        if entry.kind == "holidays"
    )
    return {(each.calendar, each.names, each.except_names): each for each in windows}.values()


def build_year(
    request: YearRequest,
    where: Zone,
    rules: Sequence[YearRule],
    holidays: Mapping[int, tuple[NamedHoliday, ...]],
    revision: str = "",
) -> Year:
    """Return a year of some rules and holidays, day by day."""
    first, after = local_day(date(request.year, 1, 1)), local_day(date(request.year + 1, 1, 1))
    pieces = [each for each in _pieces(year_span(request.year, where), where) if first <= each[2] < after]
    instants, parts, frozen = _by_day(pieces), defaultdict[int, list[FrozenPart]](list), Counter[int]()
    for number, rule in enumerate(rules):
        for start, end, day in _cut(rule.periods, pieces):
            parts[day].append(FrozenPart(number, start, end))
    for start, end, day in _cut(normalise(chain.from_iterable(rule.periods for rule in rules)), pieces):
        frozen[day] += end - start
    days = tuple(
        YearDay(day, tuple(instants[day]), tuple(parts[day]), frozen[day], holidays.get(day, ()))
        for day in range(first, after)
    )
    return Year(request, where, tuple(rules), days, revision)


def _by_day(pieces: Iterable[_Piece]) -> dict[int, list[Interval]]:
    found = defaultdict[int, list[Interval]](list)
    for start, end, day in pieces:
        found[day].append((start, end))
    return found


def _pieces(span: Interval, where: Zone) -> list[_Piece]:
    """Return the pieces of all days, in order of time."""
    pieces: list[_Piece] = []
    for start, end, offset in where.regimes(*span):
        for day in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1):
            first, last = max(start, day * DAY - offset), min(end, (day + 1) * DAY - offset)
            if pieces and pieces[-1][2] == day:
                first = pieces.pop()[0]
            pieces.append((first, last, day))
    return pieces


def _cut(periods: Iterable[Interval], pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """Yield the periods, cut at the bounds of days; both are in order."""
    index, count = 0, len(pieces)
    for start, end in periods:
        while index < count and pieces[index][1] <= start:
            index += 1
        at = index
        while at < count and pieces[at][0] < end:
            first, last, day = pieces[at]
            yield max(first, start), min(last, end), day
            at += 1
