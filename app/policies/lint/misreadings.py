"""Warn about constructs with two readings, where the other one would freeze more.

Each remark says which reading applies, and what to write for the other. The search is bounded: two years
ahead, and a limited number of windows and services.
"""

from collections.abc import Iterator, Sequence

from app.core.engine import Engine
from app.core.policy import Policy, PolicySet
from app.core.wallclock import Zone
from app.core.window import Window
from app.core.windows.cron import Cron
from app.core.windows.daily import Daily
from app.core.windows.dates import Dates
from app.core.windows.icalendar import ICalendar
from app.core.windows.monthly import Monthly
from app.core.windows.weekly import Weekly
from app.core.windows.yearly import Yearly
from app.policies.draft import Draft
from app.policies.lint.calendars import calendar_remarks
from app.policies.lint.cron import Remark, cron_remarks
from app.policies.lint.inherited import selector_path
from app.policies.lint.monthly import calendar_named, monthly_remarks
from app.policies.lint.placed_window import placed_windows
from app.policies.lint.reach import Reach
from app.policies.lint.scopes import Scopes, not_reached
from app.policies.lint.windows import (
    daily_remarks,
    dates_remarks,
    hole,
    weekly_remarks,
    yearly_remarks,
)
from app.policies.lint.zones import zone_remarks
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity


def misreadings(draft: Draft, policy_set: PolicySet, engine: Engine, now: int) -> Iterator[Problem]:
    """Yield the misreadings of a set, as warnings."""
    reach = Reach(policy_set)
    places = list(draft.places("policies"))
    for document in draft.documents:
        for path, sentence in zone_remarks(document):
            yield _warning(document, path, sentence)
    calendar = calendar_named(policy_set)
    for (document, path), policy in zip(places, policy_set.policies, strict=True):
        for where, sentence in _on_windows(policy, policy_set.zones_of(policy), calendar, now):
            yield _warning(document, (*path, *where), sentence)
        for number, index, sentence in not_reached(policy, reach):
            where = (*selector_path(document, path, "applies_to", number), "services", index)
            yield _warning(document, where, sentence)
    yield from _on_scopes(draft, places, policy_set, Scopes(policy_set, engine, reach, now))


def _on_scopes(
    draft: Draft, places: Sequence[tuple[Document, Path]], policy_set: PolicySet, scopes: Scopes
) -> Iterator[Problem]:
    for name, sentence in scopes.never_open():
        document = next(each for each in draft.having("services") if name in each.data["services"])
        yield _warning(document, ("services", name), sentence)
    numbers = {policy.id: number for number, policy in enumerate(policy_set.policies)}
    for ids, sentence in scopes.open_for_little():
        document, path = places[numbers[ids[-1]]]
        yield _warning(document, (*path, "id"), sentence)


def _warning(document: Document, path: Path, sentence: str) -> Problem:
    return document.problem(path, sentence, Severity.WARNING)


def _on_windows(policy: Policy, zones: list[Zone], calendar: str | None, now: int) -> Iterator[Remark]:
    for placed in placed_windows(policy):
        window, freezes = placed.entry.window, placed.freezes
        if isinstance(window, Monthly):
            found = monthly_remarks(window, calendar, now, freezes=freezes)
        else:
            found = _on_window(window, zones, now, freezes=freezes)
        yield from (((*placed.path, *where), sentence) for where, sentence in found)
    if (gap := hole(policy, zones, now)) is not None:
        yield ("when",), gap


def _on_window(window: Window, zones: list[Zone], now: int, *, freezes: bool) -> Iterator[Remark]:
    match window:
        case Cron():
            yield from cron_remarks(window, zones, now, freezes=freezes)
        case ICalendar():
            yield from calendar_remarks(window, zones, now, freezes=freezes)
        case Daily():
            yield from daily_remarks(window, freezes=freezes)
        case Weekly():
            yield from weekly_remarks(window, now, freezes=freezes)
        case Dates():
            yield from dates_remarks(window)
        case Yearly():
            yield from yearly_remarks(window, freezes=freezes)
