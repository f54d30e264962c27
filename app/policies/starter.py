"""A first `policies.yaml` for a country and a time zone, with comments and self-tests.

The freeze follows the country's weekend: it begins on Thursday where Friday is a day off. The instants of the
self-tests are looked up in the calendar, so that no holiday falls into the week that they show.
"""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from app.core import holiday_codes as codes
from app.core.decision import Decision, Outcome, Question
from app.core.holiday_calendar import Calendar, year_of
from app.core.instant import DAY
from app.core.wallclock import calendar_date, weekday, zone
from app.core.workdays import NATIONWIDE
from app.policies.lint.holiday_gaps import PUBLIC, days_of, gaps_to_country, wider
from app.policies.lint.holiday_own_days import USUAL_WEEKENDS
from app.policies.load import load_untested
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot

HOLIDAYS: Final = "public-holidays"
HOURS: Final = "working-hours"

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SATURDAY_AND_SUNDAY: Final = frozenset({5, 6})
_HOUR: Final = 3600
_MORNING, _AFTERNOON, _EVENING = 8, 14, 16
_OPENING: Final = 9
_YEAR: Final = 366
_TWO_YEARS: Final = 2 * _YEAR
_EITHER_SIDE: Final = 2
"""Days by which an estimated date may turn out to be wrong."""


class Style(StrEnum):
    """When deploys are frozen."""

    FRIDAY = "friday"
    WORKING_HOURS = "working-hours"


class Starter(NamedTuple):
    """The choices that a first policy file is written for."""

    country: str
    timezone: str
    style: Style = Style.FRIDAY
    subdivision: str | None = None
    """A subdivision of the country; None for its nationwide days."""


def starter_text(starter: Starter, today: int) -> str:
    """Return the policy file.

    Args:
        starter: the country, the zone and the style.
        today: the number of the day from which on the self-tests look for their instants.
    """
    calendar, has_holidays = _calendar(starter, today)
    week = _Week(calendar, today)
    head = _HEAD.format(timezone=starter.timezone)
    style = week.friday() if starter.style is Style.FRIDAY else week.working_hours()
    holidays = (
        _holidays(starter, calendar, today) if has_holidays else _NO_HOLIDAYS.format(country=starter.country)
    )
    policies = head + style + holidays + _EXAMPLES
    tests = _Tests(load_untested(Snapshot.of(policies)), starter, today)
    return policies + _TESTS + "".join(f"  - {{{each}}}\n" for each in tests.lines(week, calendar))


def _calendar(starter: Starter, today: int) -> tuple[Calendar, bool]:
    """Return the calendar, and whether it has a day off within two years.

    Public holidays alone, unless the country has none: Ukraine's are all in another category since 2022.
    """
    calendar = Calendar(starter.country, starter.subdivision, (PUBLIC,), None)
    if _first(calendar, today) is not None:
        return calendar, True
    for category in codes.categories(starter.country).codes:
        if _first(other := wider(calendar, category), today) is not None:
            return other, True
    return calendar, False


def _first(calendar: Calendar, today: int) -> int | None:
    return next((day for day, _ in days_of(calendar, today, today + _TWO_YEARS)), None)


class _Week:
    """The working days of a calendar, and the runs of days off between them."""

    def __init__(self, calendar: Calendar, today: int) -> None:
        off = year_of(calendar, calendar_date(today).year).weekend or _SATURDAY_AND_SUNDAY
        self.working = [day for day in range(7) if day not in off]
        self.breaks = [(day, self._next(day)) for day in self.working if (day + 1) % 7 in off]
        """The last working day before each run of days off, and the first one after it."""

    def _next(self, day: int) -> int:
        return next(each % 7 for each in range(day + 1, day + 8) if each % 7 in self.working)

    @property
    def policy_id(self) -> str:
        """The id of the policy that freezes days off."""
        return (
            f"{_NAMES[self.breaks[0][0]].lower()}-afternoon" if len(self.breaks) == 1 else "before-days-off"
        )

    def friday(self) -> str:
        """Return the policy that freezes from the afternoon before the days off."""
        names = " and ".join(_NAMES[last] for last, _ in self.breaks)
        windows = "".join(
            f"      - weekly: {{from: {_DAYS[last]} {_AFTERNOON}:00, to: {_DAYS[first]} {_MORNING:02}:00}}\n"
            for last, first in self.breaks
        )
        return _FRIDAY.format(id=self.policy_id, names=names, windows=windows)

    def working_hours(self) -> str:
        """Return the policy that allows deploys in working hours only."""
        lasts = [last for last, _ in self.breaks]
        others = [day for day in self.working if day not in lasts]
        windows = [_hours(others, _EVENING)] if others else []
        return _WORKING_HOURS.format(windows="".join([*windows, _hours(lasts, _AFTERNOON)]))


def _hours(days: Sequence[int], end: int) -> str:
    written = ", ".join(_DAYS[day] for day in days)
    return f'      - daily: {{days: [{written}], from: "{_OPENING:02}:00", to: "{end}:00"}}\n'


def _holidays(starter: Starter, calendar: Calendar, today: int) -> str:
    """Return the policy that freezes holidays, each choice written out so that lint has no question."""
    parts = codes.subdivisions(starter.country).codes
    subdivisions: list[str | None] = [starter.subdivision or NATIONWIDE] if parts else [None]
    if starter.subdivision and gaps_to_country(calendar, today, today + _TWO_YEARS):
        subdivisions.append(NATIONWIDE)  # days off that the subdivision does not have
    categories = ", ".join(calendar.categories)
    windows = "".join(
        f"      - holidays: {{country: {starter.country}, {_subdivision(part)}{_weekend(calendar, today)}"
        f'categories: [{categories}], eve_from: "{_AFTERNOON}:00", until: "{_MORNING:02}:00"}}\n'
        for part in subdivisions
    )
    calendars = [calendar, calendar._replace(subdivision=None)][: len(subdivisions)]
    return _HOLIDAYS.format(
        regions=_REGIONS if parts and not starter.subdivision else "",
        windows=windows + "".join(_estimated(calendars, today)),
    )


def _subdivision(code: str | None) -> str:
    """Return the key with its code, in quotes where YAML would read a number or end the text."""
    if code is None:
        return ""
    return f"subdivision: {code}, " if code.isalpha() else f"subdivision: {json.dumps(code)}, "


def _weekend(calendar: Calendar, today: int) -> str:
    """Return the key with the calendar's weekend, where that may surprise."""
    weekend = sorted(year_of(calendar, calendar_date(today).year).weekend)
    if tuple(weekend) in USUAL_WEEKENDS:
        return ""
    return f"weekend: [{', '.join(_DAYS[day] for day in weekend)}], "


def _runs(names: dict[int, str]) -> list[tuple[int, int, str]]:
    """Return first day, last day and name of each run of named days, with `_EITHER_SIDE` around them."""
    runs: list[tuple[int, int, str]] = []
    for day, name in sorted(names.items()):
        start, end = day - _EITHER_SIDE, day + _EITHER_SIDE
        if runs and start <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], end, runs[-1][2])
        else:
            runs.append((start, end, name))
    return runs


def _estimated(calendars: Sequence[Calendar], today: int) -> Iterator[str]:
    """Yield windows around the days of the coming year whose dates follow the moon."""
    names = {
        day: each.bare_name
        for calendar in calendars
        for day, held in days_of(calendar, today, today + _YEAR)
        for each in reversed(held)
        if each.is_estimated
    }
    runs = _runs(names)
    if runs:
        yield "      # Estimates, for they follow the moon: two days on either side until official.\n"
    for start, end, name in runs:
        written = f"      - dates: {{from: {calendar_date(start)}, to: {calendar_date(end)}}}"
        yield f"{written}    # {' '.join(name.split())}\n"


class _Tests:
    """The self-tests of the file, at instants at which the engine gives the answers that they show."""

    def __init__(self, loaded: LoadedPolicies, starter: Starter, today: int) -> None:
        self._engine = loaded.engine
        self._zone = zone(starter.timezone)
        self._style = starter.style
        self._days = range(today + 7, today + _TWO_YEARS)

    def lines(self, week: _Week, calendar: Calendar) -> Iterator[str]:
        """Yield the entries of `tests:`."""
        last, first = week.breaks[0]
        if self._style is Style.FRIDAY:
            yield from self._edge(last, _AFTERNOON, week.policy_id, first, _MORNING)
        else:
            yield from self._edge(last, _AFTERNOON, HOURS, first, _OPENING)
        for day, _ in days_of(calendar, self._days.start, self._days.stop):
            noon = self._decide(day, 12 * _HOUR)
            if _denied_by(noon) == [HOLIDAYS]:
                yield f"at: {calendar_date(day)} 12:00, service: api, expect: deny, by: [{HOLIDAYS}]"
                yield f"at: {calendar_date(day)} 12:00, service: api, change: rollback, expect: allow"
                return

    def _edge(self, last: int, closes: int, policy: str, first: int, opens: int) -> Iterator[str]:
        """Yield a test just before and one at the end of the working week, of the first plain week."""
        for day in self._days:
            if weekday(day) != last:
                continue
            after = day + ((first - last) % 7)
            before = self._decide(day, closes * _HOUR - 60)
            at_end = self._decide(day, closes * _HOUR)
            bounds = (self._instant(day, closes * _HOUR), self._instant(after, opens * _HOUR))
            if (before.outcome, before.flips_at) == (Outcome.ALLOW, bounds[0]) and (
                (_denied_by(at_end), at_end.flips_at) == ([policy], bounds[1])
            ):
                date, end = calendar_date(day), f"{calendar_date(day)} {closes}:00"
                opening = f"{calendar_date(after)} {opens:02}:00"
                yield f"at: {date} {closes - 1}:59, service: api, expect: allow, next_change: {end}"
                yield f"at: {end}, service: api, expect: deny, by: [{policy}], next_change: {opening}"
                return

    def _decide(self, day: int, seconds: int) -> Decision:
        return self._engine.decide(Question("api"), self._instant(day, seconds))

    def _instant(self, day: int, seconds: int) -> int:
        return self._zone.earliest(day * DAY + seconds)


def _denied_by(decision: Decision) -> list[str]:
    return [each.rule.id for each in decision.blocking]


_HEAD: Final = """\
# When deploys are frozen, and why. `freezegate lint` checks this file, `freezegate test` runs its tests.
# A running gate picks up a change within seconds; it keeps the old policies if the file has an error.

version: 1                            # of this format
timezone: {timezone:<27} # the zone of all times below, unless a policy has its own

environments: [production, staging]   # the names that a request may use; `production` if it names none
changes: [normal, hotfix, rollback]   # the kinds of change that a request may name; `normal` if it names none

overrides:                            # the ceilings of every override token
  max_ttl: 24h                        # how long it lasts
  max_uses: 5                         # how many deploys it lets through
  approvals: 0                        # how many other people must approve it

policies:                             # every policy that matches a request has a veto
"""

_FRIDAY: Final = """\
  - id: {id}
    title: No deploys after {names} 14:00    # shown to everyone who is blocked
    reason: Nobody is around to fix what breaks on days off.
    # contact: "#release-managers"    # whom to ask; `link:` adds where to read more
    applies_to: {{environments: [production]}}
    exempt: {{changes: [rollback]}}     # going back to what worked is always allowed
    when:
{windows}
"""

_WORKING_HOURS: Final = """\
  - id: working-hours
    title: Deploy in working hours    # shown to everyone who is blocked
    reason: Someone has to watch the deploy, and the hours after it.
    # contact: "#release-managers"    # whom to ask; `link:` adds where to read more
    effect: allow-only                # frozen outside of these windows
    applies_to: {{environments: [production]}}
    exempt: {{changes: [rollback]}}     # going back to what worked is always allowed
    when:
{windows}
"""

_HOLIDAYS: Final = """\
  - id: public-holidays
    title: No deploys on public holidays, nor on the afternoon before
    reason: Nobody is around to fix what breaks.
    applies_to: {{environments: [production]}}
    exempt: {{changes: [rollback]}}
    when:                             # from 14:00 on the last working day before to 08:00 on the next one
{regions}{windows}
"""

_REGIONS: Final = "      # `none` means nationwide days only; name your region for its days as well.\n"

_NO_HOLIDAYS: Final = """\
  # No holidays of {country} are known; write them as `dates` or `yearly` windows of a policy.

"""

_EXAMPLES: Final = """\
  # More examples:
  #
  # - id: year-end
  #   title: Year-end freeze
  #   reason: The books are being closed.
  #   override: never                 # no override token lets a deploy through
  #   when:
  #     - yearly: {from: 12-20 18:00, to: 01-03}    # the last date is included
  #
  # - id: late-evening
  #   title: It is late
  #   reason: Colleagues who could help are asleep.
  #   effect: warn                    # allows the deploy, with a warning
  #   when:
  #     - daily: {from: "20:00", to: "07:00"}

"""

_TESTS: Final = """\
tests:                                # run at every load; the file is refused if one fails
"""
