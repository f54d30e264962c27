"""Deployment freezes of Octopus Deploy, read on their own: slow and obvious.

A freeze lasts from Start to End. If it recurs, it opens again on its days at the same time of day, at the
offset from UTC of the user who saved it, for as long as the first time. Weeks begin on Sunday. A freeze that
begins on a day on which it doesn't recur is frozen then, too.
"""

import calendar
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple

from tests.policies.importers.wall_spans import DAY, LAST, Span, merged

NAMES = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

RULES = (
    "recurs at the offset of the user",
    "the offset counts to the east",
    "weeks begin on Sunday",
    "every so many days",
    "every so many weeks",
    "every so many months",
    "a year later",
    "on the weekdays named",
    "the last day of the month",
    "a day that a month lacks is left out",
    "the last weekday of the month",
    "the nth weekday of the month",
    "ends on its date, that day included",
    "ends after so many occurrences",
    "the first time counts as an occurrence",
    "the first time is frozen on any day",
    "lasts as long as the first time",
    "recurs never if it has no schedule",
    "scoped to projects and environments",
)


class Asked(NamedTuple):
    """A deployment that somebody wants to make, by ids."""

    project: str
    environment: str


def closed(text: str, asked: Asked, wrong: str | None = None) -> list[Span]:
    """When a deployment would fail; `wrong` is the rule that is misread."""
    return merged(
        span
        for freeze in freezes(json.loads(text))
        if scoped(freeze, asked, wrong)
        for span in spans(freeze, wrong)
    )


def freezes(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        return data
    found: list[dict[str, Any]] = data.get("DeploymentFreezes", [data])
    return found


def scoped(freeze: dict[str, Any], asked: Asked, wrong: str | None) -> bool:
    scope = freeze.get("ProjectEnvironmentScope") or {}
    if wrong == "scoped to projects and environments":
        return any(asked.environment in environments for environments in scope.values())
    return asked.environment in scope.get(asked.project, [])


def spans(freeze: dict[str, Any], wrong: str | None) -> Iterator[Span]:
    start, end = (datetime.fromisoformat(freeze[key]) for key in ("Start", "End"))
    schedule = freeze.get("RecurringSchedule")
    length = end - start
    if schedule is None and wrong == "recurs never if it has no schedule":
        schedule = {"Type": "Annually", "Unit": 1, "EndType": "Never"}
    if schedule is None:
        yield int(start.timestamp()), int(end.timestamp())
        return
    minutes = schedule.get("UserUtcOffsetInMinutes", 0)
    if wrong == "recurs at the offset of the user":
        minutes = 0
    if wrong == "the offset counts to the east":
        minutes = -minutes
    local = start.astimezone(timezone(timedelta(minutes=minutes)))
    for number, opens in enumerate(openings(local, schedule, wrong)):
        first = int(opens.timestamp())
        lasts = (
            min(length, timedelta(hours=1))
            if number and wrong == "lasts as long as the first time"
            else length
        )
        yield first, first + int(lasts.total_seconds())


def openings(start: datetime, schedule: dict[str, Any], wrong: str | None) -> Iterator[datetime]:
    """The times at which a freeze opens, on the clock of its user."""
    matches = recurs_on(start.date(), start.date(), schedule, wrong)
    if matches or wrong != "the first time is frozen on any day":
        yield start
    count = int(matches and wrong != "the first time counts as an occurrence")
    until = date.max
    if schedule["EndType"] == "OnDate":
        until = datetime.fromisoformat(schedule["EndOnDate"]).astimezone(start.tzinfo).date()
        if wrong == "ends on its date, that day included":
            until -= DAY
    most = schedule["EndAfterOccurrences"] if schedule["EndType"] == "AfterOccurrences" else 1 << 60
    if wrong == "ends after so many occurrences":
        most += 1
    opens = start
    while opens.date() < LAST + 2 * DAY:
        opens += DAY
        if opens.date() > until or count >= most:
            return
        if recurs_on(opens.date(), start.date(), schedule, wrong):
            count += 1
            yield opens


def recurs_on(day: date, first: date, schedule: dict[str, Any], wrong: str | None) -> bool:
    kind, unit = schedule["Type"], schedule["Unit"]
    if kind == "Daily":
        return wrong == "every so many days" or (day - first).days % unit == 0
    if kind == "Weekly":
        weeks = (beginning(day, wrong) - beginning(first, wrong)).days // 7
        named = [NAMES.index(name) for name in schedule["DaysOfWeek"]]
        if wrong == "on the weekdays named":
            named = [(number + 1) % 7 for number in named]
        return day.isoweekday() % 7 in named and (wrong == "every so many weeks" or weeks % unit == 0)
    months = (day.year - first.year) * 12 + day.month - first.month
    if kind == "Annually":
        same = (day.month, day.day) == (first.month, first.day)
        if wrong == "a year later":
            return (day - first).days % 365 == 0
        return same and (day.year - first.year) % unit == 0
    if wrong != "every so many months" and months % unit:
        return False
    return falls_on(day, schedule, wrong)


def falls_on(day: date, schedule: dict[str, Any], wrong: str | None) -> bool:
    """Whether a day is the one of its month."""
    length = calendar.monthrange(day.year, day.month)[1]
    if schedule["MonthlyScheduleType"] == "DateOfMonth":
        if schedule["DateOfMonth"] == "L":
            return day.day == (28 if wrong == "the last day of the month" else length)
        wanted = int(schedule["DateOfMonth"])
        if wrong == "a day that a month lacks is left out":
            wanted = min(wanted, length)
        return day.day == wanted
    if NAMES[day.isoweekday() % 7] != schedule["DayOfWeek"]:
        return False
    nth = schedule["DayNumberOfMonth"]
    if nth == "L":
        return 21 < day.day <= 28 if wrong == "the last weekday of the month" else day.day > length - 7
    number = int(nth) + (wrong == "the nth weekday of the month")
    return 7 * (number - 1) < day.day <= 7 * number


def beginning(day: date, wrong: str | None) -> date:
    """The first day of a week."""
    return day - DAY * (day.weekday() if wrong == "weeks begin on Sunday" else day.isoweekday() % 7)
