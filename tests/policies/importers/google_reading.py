"""Deploy policies of Google Cloud Deploy, read on their own: slow and obvious.

A rule restricts during the union of its windows, in its zone. Selectors of a policy are alternatives; within
one, pipeline and target must both match. Without actions or invokers, all of them are restricted. A policy
that is suspended restricts nothing.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import yaml

from tests.policies.importers.wall_spans import DAY, Span, days, frozen, merged
from tests.spec.twin import zone

WEEK = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class Asked(NamedTuple):
    """A rollout that somebody wants to start."""

    pipeline: str
    target: str
    is_rollback: bool = False


RULES = (
    "an end of 24:00 is midnight",
    "windows are in the zone of the rule",
    "no days mean every day",
    "no times mean the whole day",
    "the end is exclusive",
    "a one-time window ends on its end date",
    "a selector needs pipeline and target",
    "selectors are alternatives",
    "a star selects everything",
    "a rule without ROLLBACK lets rollbacks go",
    "no actions mean all",
    "a suspended policy restricts nothing",
    "windows of a rule are a union",
    "days begin on MONDAY",
)


def closed(texts: list[str], asked: Asked, wrong: str | None = None) -> list[Span]:
    """When a rollout may not start; `wrong` is the rule that is misread."""
    spans: list[Span] = []
    for policy in policies(texts):
        suspended = policy.get("suspended") == "true"
        if suspended and wrong != "a suspended policy restricts nothing":
            continue
        if not selects(policy["selectors"], asked, wrong):
            continue
        for rule in policy["rules"]:
            restriction = rule["rolloutRestriction"]
            if concerns(restriction.get("actions") or [], asked, wrong):
                found = list(windows(restriction["timeWindows"], wrong))
                spans += found[:1] if wrong == "windows of a rule are a union" else found
    return merged(spans)


def policies(texts: list[str]) -> Iterator[dict[str, Any]]:
    for text in texts:
        for document in documents(text):
            found = document if isinstance(document, list) else [document]
            yield from (each for each in found if "rules" in each)


@cache
def documents(text: str) -> list[Any]:
    return list(yaml.load_all(text, yaml.BaseLoader))


def selects(selectors: list[dict[str, Any]], asked: Asked, wrong: str | None) -> bool:
    def fits(selector: dict[str, Any]) -> bool:
        found = []
        for key, name in (("deliveryPipeline", asked.pipeline), ("target", asked.target)):
            if key in selector:
                wanted = selector[key]["id"]
                star = wanted == "*" and wrong != "a star selects everything"
                found.append(star or wanted == name)
        return any(found) if wrong == "a selector needs pipeline and target" else all(found)

    hits = [fits(selector) for selector in selectors]
    return all(hits) if wrong == "selectors are alternatives" else any(hits)


def concerns(actions: list[str], asked: Asked, wrong: str | None) -> bool:
    if not actions:
        return wrong != "no actions mean all"
    if asked.is_rollback and wrong != "a rule without ROLLBACK lets rollbacks go":
        return "ROLLBACK" in actions
    return "CREATE" in actions


def windows(written: dict[str, Any], wrong: str | None) -> Iterator[Span]:
    name = "UTC" if wrong == "windows are in the zone of the rule" else written["timeZone"]
    where = zone(name)
    late = timedelta(minutes=1) if wrong == "the end is exclusive" else timedelta()
    for window in written.get("oneTimeWindows") or []:
        start, end = once(window)
        if wrong == "a one-time window ends on its end date":
            end -= DAY
        yield frozen(start, end + late, where)
    for window in written.get("weeklyWindows") or []:
        named = [WEEK.index(day) for day in window.get("daysOfWeek") or []]
        if wrong == "days begin on MONDAY":
            named = [(day - 1) % 7 for day in named]
        if not named and wrong != "no days mean every day":
            named = list(range(7))
        first, last = time_of(window.get("startTime", "0:0")), time_of(window.get("endTime", "24:00"))
        if "startTime" not in window and wrong == "no times mean the whole day":
            first, last = timedelta(), timedelta(hours=12)
        if last == DAY and wrong == "an end of 24:00 is midnight":
            last = DAY - timedelta(minutes=1)
        for day in days():
            if day.weekday() in named:
                yield frozen(midnight(day) + first, midnight(day) + last + late, where)


def once(window: dict[str, Any]) -> tuple[datetime, datetime]:
    if "start" in window:  # the file form: "2026-12-20 17:00"
        return moment(window["start"]), moment(window["end"])
    return (
        midnight(date_of(window["startDate"])) + time_of(window.get("startTime", "0:0")),
        midnight(date_of(window["endDate"])) + time_of(window.get("endTime", "0:0")),
    )


def moment(text: str) -> datetime:
    day, _, time = text.replace("T", " ").partition(" ")
    return midnight(date.fromisoformat(day)) + time_of(time or "0:0")


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock


def date_of(written: dict[str, str]) -> date:
    return date(int(written["year"]), int(written["month"]), int(written["day"]))


def time_of(written: str | dict[str, str]) -> timedelta:
    if isinstance(written, dict):
        return timedelta(**{unit: int(written.get(unit) or 0) for unit in ("hours", "minutes", "seconds")})
    hours, minutes, *seconds = map(int, written.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))
