"""What is told to whoever only looks: the badge, and the calendar feed.

The feed has each stretch in which deploys are frozen once, as `/schedule` names it. It is the same on
every replica and at every fetch of a day: calendars compare what they get with what they have.
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
"""Entries in a feed: a rule that freezes every minute must not keep the gate busy for minutes."""


class Wanted(NamedTuple):
    """Whose freezes a feed tells of: a service's, or those of an environment itself."""

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
    """Whether these are all; else they are the first."""


def badge_of(in_force: InForce, wanted: Wanted, degraded_since: int | None, now: int) -> Badge:
    """Whether deploys are open, in a few words.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    if wanted.service is None:
        decision = in_force.engine.decide_environment(wanted.environment, now)
    else:
        question = Question(wanted.service, wanted.environment, in_force.policy_set.usual_change)
        decision = in_force.engine.decide(question, now)
    # While the store is away a freeze may be missed, and claims are refused: no word of open then.
    return badge(decision, doubtful=degraded_since is not None)


def feed_span(now: int) -> Period:
    """From four weeks ago to a year ahead, in whole days of UTC: a day's fetches are about the same span."""
    today = now - now % DAY
    return Period(max(today - PAST, EARLIEST), min(today + AHEAD, LATEST))


async def policies_stamp(in_force: InForce, store: "Store") -> int:
    """When other policies were last loaded, by the record that all replicas share.

    Where that can't be read, it is when this replica loaded its own.
    """
    try:
        told = await store.read(lambda view: view.latest_of_kind(Kind.POLICIES_LOADED.value))
    except StoreUnavailableError:
        told = None
    return in_force.loaded_at if told is None else told.at // 1_000_000


def feed(in_force: InForce, wanted: Wanted, span: Period, stamp: int) -> Feed:
    """The freezes of a service or an environment; `stamp` is when the policies were loaded.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        InvalidFieldError: the kind of change can't be looked at without a service.
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
    """Every stretch that blocks within the span, once, in order; one more than `MOST` at most.

    Segments name a stretch again and again, and a very long one by the bounds that are within two years
    of each: its start is best known at first, its end at last.
    """
    found: list[Stretch] = []
    latest: dict[str, int] = {}
    for segment in scope.segments(span.start, span.end):
        for each in segment.blocking:
            start, end = each.bounds(segment.start)
            place = latest.get(each.rule.id)
            before = None if place is None else found[place].end
            if place is None or (before is not None and before <= segment.start):
                latest[each.rule.id] = len(found)
                found.append(each._replace(start=start, end=end))
            elif before is None:
                found[place] = found[place]._replace(end=end)
        if len(found) > MOST:
            break
    return found[: MOST + 1]


def _entry(stretch: Stretch, wanted: Wanted, stamp: int) -> Entry:
    rule = stretch.rule
    # Of what the entry is, and not of how it stands: a freeze that is extended or lifted stays the same one.
    told = json.dumps([rule.kind, rule.id, stretch.start, wanted.environment, wanted.service])
    uid = f"{hashlib.sha256(told.encode()).hexdigest()[:32]}@freezegate"
    revised = rule.revised_at if isinstance(rule, Freeze) else stamp
    return Entry(uid, revised, rule, stretch.start, stretch.end)
