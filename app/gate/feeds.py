"""The badge and the calendar feed: views for readers who deploy nothing."""

from typing import TYPE_CHECKING, Final

from app.core.badge import Badge, badge
from app.core.decision import Question
from app.core.errors import UnknownNameError
from app.core.feed import Feed, Wanted, feed_of
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import Period
from app.core.scope import ScopeTimeline
from app.gate.audit_events import Kind
from app.gate.errors import InvalidFieldError, StoreUnavailableError
from app.gate.in_force import InForce

if TYPE_CHECKING:
    from app.store.store import Store

PAST: Final = 28 * DAY
AHEAD: Final = 366 * DAY


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
    return feed_of(_scope(in_force, wanted), wanted, span, stamp)


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
