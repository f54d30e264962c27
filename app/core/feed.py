"""The feed: each frozen stretch of a service or an environment exactly once, as a calendar lists it.

A stretch has the name that `/schedule` uses. The feed is identical on every replica and for every fetch of a
day, because calendar clients compare each new copy with the last.
"""

import hashlib
import json
from typing import Final, NamedTuple

from app.core.decision import Rule, Stretch
from app.core.freeze import Freeze
from app.core.interval import Period
from app.core.scope import ScopeTimeline

MOST: Final = 5_000
"""The most entries in a feed, so that a rule that freezes every minute can't tie up the gate."""


class Wanted(NamedTuple):
    """The scope of a feed: a service, or an environment itself."""

    environment: str
    service: str | None = None
    change: str | None = None


class Entry(NamedTuple):
    """One stretch through which a rule blocks; a bound is None where it is more than two years away."""

    uid: str
    stamp: int
    rule: Rule
    start: int | None
    end: int | None


class Feed(NamedTuple):
    """The freezes within a span, in the order in which they begin there."""

    wanted: Wanted
    span: Period
    entries: tuple[Entry, ...]
    whole: bool
    """Whether the feed is complete; if not, it holds only the first `MOST` entries."""


def feed_of(scope: ScopeTimeline, wanted: Wanted, span: Period, stamp: int) -> Feed:
    """Return the freezes of a scope; `stamp` is when the policies last changed."""
    found = _stretches(scope, span)
    entries = tuple(_entry(stretch, wanted, stamp) for stretch in found[:MOST])
    return Feed(wanted, span, entries, whole=len(found) <= MOST)


def _stretches(scope: ScopeTimeline, span: Period) -> list[Stretch]:
    """Return every stretch that blocks within the span, once, in order; at most one more than `MOST`.

    A stretch appears in several segments. Each segment gives only bounds within two years of itself, so the
    start comes from the first segment and the end from the last.
    """
    found: list[Stretch] = []
    latest: dict[str, int] = {}
    for segment in scope.segments(span.start, span.end):
        for each in segment.blocking:
            start, end = each.bounds(segment.start)
            place = latest.get(each.rule.id)
            if place is None or _is_over(found[place], segment.start):
                latest[each.rule.id] = len(found)
                found.append(each._replace(start=start, end=end))
            elif found[place].end is None:
                found[place] = found[place]._replace(end=end)
        if len(found) > MOST:
            break
    return found[: MOST + 1]


def _is_over(stretch: Stretch, at: int) -> bool:
    return stretch.end is not None and stretch.end <= at


def _entry(stretch: Stretch, wanted: Wanted, stamp: int) -> Entry:
    rule = stretch.rule
    # From the identity of the entry, not its state: a freeze that is extended or lifted stays the same entry.
    identity = json.dumps([rule.kind, rule.id, stretch.start, wanted.environment, wanted.service])
    uid = f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}@freezegate"
    revised = rule.revised_at if isinstance(rule, Freeze) else stamp
    return Entry(uid, revised, rule, stretch.start, stretch.end)
