"""The badge and the calendar feed: views for readers who deploy nothing.

The feed lists each frozen stretch exactly once, under the name that `/schedule` uses. It is identical on
every replica and for every fetch of a day, because calendar clients compare each new copy with the last.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.badge import Badge, badge
from app.core.decision import Question, Rule, Stretch
from app.core.errors import UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.scope import ScopeTimeline
from app.gate.audit_events import Kind
from app.gate.errors import InvalidFieldError, StoreUnavailableError
from app.gate.in_force import InForce
from app.gate.schedule import Period

if TYPE_CHECKING:
    from app.store.store import Store

PAST: Final = 28 * DAY
AHEAD: Final = 366 * DAY

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


def badge_of(in_force: InForce, wanted: Wanted, degraded_since: int | None, now: int) -> Badge:
    """Return whether deploys are open, in a few words.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    if wanted.service is None:
        decision = in_force.engine.decide_environment(wanted.environment, now)
    else:
        question = Question(wanted.service, wanted.environment, in_force.policy_set.usual_change)
        decision = in_force.engine.decide(question, now)
    # Without the store, a freeze may be missed and claims are refused: the badge must not say "open".
    return badge(decision, doubtful=degraded_since is not None)


def feed_span(now: int) -> Period:
    """Return the span from four weeks ago to a year ahead, in whole UTC days: it is the same all day."""
    today = now - now % DAY
    return Period(max(today - PAST, EARLIEST), min(today + AHEAD, LATEST))


async def policies_stamp(in_force: InForce, store: "Store") -> int:
    """Return when the policies last changed, by the record that all replicas share.

    If the record can't be read, return when this replica loaded its own.
    """
    try:
        loaded = await store.read(lambda view: view.latest_of_kind(Kind.POLICIES_LOADED.value))
    except StoreUnavailableError:
        loaded = None
    return in_force.loaded_at if loaded is None else loaded.at // 1_000_000


def feed(in_force: InForce, wanted: Wanted, span: Period, stamp: int) -> Feed:
    """Return the freezes of a service or an environment; `stamp` is when the policies were loaded.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        InvalidFieldError: this kind of change needs a service.
    """
    found = _stretches(_scope(in_force, wanted), span)
    entries = tuple(_entry(stretch, wanted, stamp) for stretch in found[:MOST])
    return Feed(wanted, span, entries, whole=len(found) <= MOST)


def _scope(in_force: InForce, wanted: Wanted) -> ScopeTimeline:
    engine = in_force.engine
    if wanted.service is not None:
        change = wanted.change or Question("").change
        return engine.scope(wanted.service, wanted.environment, change)
    if wanted.change in (None, in_force.policy_set.usual_change):
        return engine.environment(wanted.environment)
    try:
        return engine.scope("", wanted.environment, wanted.change or "")
    except UnknownNameError as error:
        if error.field != "service":
            raise
        raise InvalidFieldError("service", "is needed beside this kind of change") from None


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
