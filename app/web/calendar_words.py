"""Freezes of a calendar in words, and the ids of their entries in its lists."""

from typing import Final

from app.core.decision import Stretch
from app.core.explain import local_time, scope_in_words, undirected
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR
from app.core.wallclock import Zone
from app.gate.calendar_lanes import Run, ScopedFreeze

_MINUTE: Final = 60


def run_id(lane: int, start: int) -> str:
    """Return the id of the entry of a freeze in the list of a lane."""
    return f"freeze-{lane}-{start}"


def scoped_id(lane: int, each: ScopedFreeze) -> str:
    """Return the id of the entry of a freeze of single services."""
    return f"freeze-{lane}-{each.stretch.rule.id}-{each.start}"


def run_in_words(run: Run, where: Zone, now: int) -> str:
    """Return a freeze as a sentence: when, and by which rules."""
    rules = "; ".join(_rule_in_words(stretch, where, now) for stretch in run.rules)
    return undirected(f"Frozen {period_in_words(run.start, run.end, where, now)}: {rules}")


def scoped_in_words(each: ScopedFreeze, where: Zone, now: int) -> str:
    """Return a freeze of single services as a sentence."""
    only = scope_in_words(each.applies_to)
    rule = _rule_in_words(each.stretch, where, now)
    return undirected(f"Only {only}, {period_in_words(each.start, each.end, where, now)}: {rule}")


def period_in_words(start: int, end: int, where: Zone, now: int) -> str:
    """Return "Fri 27 Nov 14:00 CET to Mon 30 Nov 08:00 CET"."""
    return f"{local_time(start, where, now)} to {local_time(end, where, now)}"


def _rule_in_words(stretch: Stretch, where: Zone, now: int) -> str:
    rule = stretch.rule
    if isinstance(rule, Freeze):
        return f"{rule.title.rstrip('.')} (ad hoc, by {rule.started_by or 'an anonymous caller'})"
    hours = stretch.start is not None and stretch.end is not None and stretch.end - stretch.start <= DAY
    if hours and stretch.start is not None:
        return f"{rule.title.rstrip('.')} (from {local_time(stretch.start, where, now)})"
    return rule.title.rstrip(".")


def hours_in_words(seconds: int) -> str:
    """Return a length of time in hours, in days from two of them on, and below one in minutes or seconds."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // _MINUTE} min"
    hours = round(seconds / HOUR)
    return f"{hours} h" if hours < 2 * 24 else f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")
