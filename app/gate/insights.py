"""Insights: the decisions of a period, counted from rollups in a thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from app.clock import Clock
from app.core.comparison import ENOUGH, LEAST, MOST, TELLING, Comparison, Tally
from app.core.explain_insights import (
    environment_in_words,
    hour_in_words,
    policy_in_words,
    total_in_words,
    waits_in_words,
)
from app.core.insights import Counting, Insights
from app.core.instant import MINUTE, format_instant
from app.core.notation import WEEKDAYS
from app.core.proportion import CONFIDENCE, Range, shared_out
from app.core.waits import PATIENCE, Waits
from app.gate.errors import BusyError
from app.gate.in_force import InForce
from app.gate.pages_ahead import Found
from app.gate.record import RunQuery
from app.gate.rollups import InsightsRequest, KeptSums

__all__ = ["InsightsRequest"]

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.view import View

MOST_UNFINISHED: Final = 8
"""Counts that are running or waiting; a further request fails with `BusyError`."""

_KEPT: Final = 4
_LONG: Final = 5_000
"""Decisions whose count is kept for a minute; fewer are counted again."""
DIGITS: Final = 4
"""Decimal places of rates and intervals; more would suggest a precision that the data doesn't have."""


class Measurement:
    """The use case of insights.

    Counting takes seconds of one core, and claims come first: counts run one at a time, and equal requests
    within a minute share one. At most `MOST_UNFINISHED` wait, and a count without a waiting caller stops.
    """

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Read `store`; `clock` decides which denied requests may still come back."""
        self._store = store
        self._clock = clock
        self._free = asyncio.Semaphore(1)
        self._counts: dict[_Asked, _Count] = {}
        self._kept = KeptSums()

    async def insights(self, in_force: InForce, wanted: InsightsRequest) -> dict[str, Any]:
        """Return the insights of a period, by the policies in force now; at most a minute old.

        Raises:
            BusyError: too many counts are unfinished, or the gate is stopping.
            StoreUnavailableError: the decisions can't be read.
        """
        now = self._clock.now()
        asked = (in_force.revision, wanted, now // MINUTE)
        count = self._counts.get(asked) or self._begin(asked, in_force, now)
        count.waiting += 1
        try:
            # Shielded, because other callers wait for it, too.
            return await asyncio.shield(count.task)
        finally:
            count.waiting -= 1
            if not count.waiting and not count.task.done():
                self._forget(asked, count)
                count.stop()

    def stop(self) -> None:
        """Stop all counts, so that the process can end."""
        for count in self._counts.values():
            count.unwanted.set()

    def _begin(self, asked: "_Asked", in_force: InForce, now: int) -> "_Count":
        unfinished = sum(not count.task.done() for count in self._counts.values())
        if unfinished >= MOST_UNFINISHED:
            raise BusyError("too much is being counted already")
        self._forget_finished(asked)
        count = _Count()
        count.task = asyncio.create_task(self._count(count, in_force, asked[1], now))
        count.task.add_done_callback(lambda task: self._finished(asked, count, task))
        self._counts[asked] = count
        return count

    async def _count(
        self, count: "_Count", in_force: InForce, wanted: InsightsRequest, now: int
    ) -> dict[str, Any]:
        async with self._free:
            count.begun = True
            query, unwanted = self._store.query, count.unwanted.is_set
            return await asyncio.to_thread(insights, query, in_force, wanted, now, unwanted, self._kept)

    def _finished(self, asked: "_Asked", count: "_Count", task: "asyncio.Task[dict[str, Any]]") -> None:
        """Keep the result of a long count; a short one is repeated, so that its result is up to date."""
        failed = task.cancelled() or task.exception() is not None
        if failed or task.result()["totals"]["decisions"] < _LONG:
            self._forget(asked, count)

    def _forget(self, asked: "_Asked", count: "_Count") -> None:
        if self._counts.get(asked) is count:
            del self._counts[asked]

    def _forget_finished(self, asked: "_Asked") -> None:
        """Make room: results of past minutes are never requested again."""
        finished = [each for each, count in self._counts.items() if count.task.done()]
        past = [each for each in finished if each[-1] != asked[-1]]
        for each in past or finished[: len(finished) - _KEPT + 1]:
            del self._counts[each]


_Asked = tuple[str, InsightsRequest, int]
"""The revision of the policies, the request, and its minute."""


class _Count:
    """A count, and the number of its waiting callers."""

    task: "asyncio.Task[dict[str, Any]]"

    def __init__(self) -> None:
        self.waiting = 0
        self.begun = False
        self.unwanted = threading.Event()

    def stop(self) -> None:
        """Stop it soon: a thread can't be cancelled, but it checks the flag between pages."""
        self.unwanted.set()
        if not self.begun:
            self.task.cancel()


def insights(
    query: RunQuery,
    in_force: InForce,
    wanted: InsightsRequest,
    now: int,
    unwanted: Callable[[], bool] = lambda: False,
    kept: KeptSums | None = None,
) -> dict[str, Any]:
    """Return the insights of a period, counted in this thread; `kept` are the sums of counts before.

    Raises:
        BusyError: the result is no longer needed, as `unwanted` says.
        StoreUnavailableError: the decisions can't be read.
    """
    counting = Counting(in_force.engine.compiled, (wanted.start, wanted.end))

    def unless_unwanted(read: "Callable[[View], Found]") -> Found:
        if unwanted():
            raise BusyError("the gate is stopping")
        return query(read)

    (kept or KeptSums()).count(unless_unwanted, counting, in_force, wanted)
    return to_json(counting.finish(now), in_force, wanted, now)


def to_json(found: Insights, in_force: InForce, wanted: InsightsRequest, now: int) -> dict[str, Any]:
    """Return the JSON representation of insights."""
    hours = [
        {
            "weekday": WEEKDAYS[each.weekday],
            "hour": each.hour,
            "denials": each.denials,
            **_tally(each.comparison.inside),
            **_judged(each.comparison, hour_in_words(each)),
        }
        for each in found.hours
    ]
    policies = [
        {
            "id": each.id,
            "title": each.policy and each.policy.title,
            "effect": each.policy and each.policy.effect.value,
            "denials": each.denials,
            "overrides": each.overrides,
            "comparison": each.comparison and comparison_to_json(each.comparison, policy_in_words(each)),
            "waits": _waits(each.waits),
        }
        for each in found.policies
    ]
    environments = [
        {
            "environment": each.name,
            "denials": each.denials,
            **_tally(each.tally),
            "comparison": comparison_to_json(each.comparison, environment_in_words(each)),
        }
        for each in found.environments
    ]
    return {
        "from": format_instant(wanted.start),
        "to": format_instant(wanted.end),
        "as_of": format_instant(now),
        "timezone": in_force.home.name,
        "environment": wanted.environment,
        "service": wanted.service,
        "change": wanted.change,
        "policy_revision": in_force.revision,
        "in_words": total_in_words(found, wanted.end - wanted.start),
        "totals": {
            "decisions": found.total.deploys + found.denials,
            "denials": found.denials,
            **_tally(found.total),
            "unreported": found.total.deploys - found.total.reported,
        },
        "findings": _findings(found),
        "policies": policies,
        "environments": environments,
        "waits": _waits(found.waits),
        "hours": hours,
        "method": {
            "confidence": CONFIDENCE,
            "enough": ENOUGH,
            "telling": {"of_others": TELLING, "at_least": LEAST, "at_most": MOST},
            "patience_s": PATIENCE,
            "hours": method_of(found.hours_compared),
            "policies_and_environments": method_of(found.others_compared),
        },
    }


def _findings(found: Insights) -> list[str]:
    """Return the significant differences, in sentences; policies first, because you can change them."""
    found_in_words = [
        *((each.comparison, policy_in_words(each)) for each in found.policies),
        *((each.comparison, environment_in_words(each)) for each in found.environments),
        *((each.comparison, hour_in_words(each)) for each in found.hours),
    ]
    return [words for comparison, words in found_in_words if words and comparison and comparison.differs]


def comparison_to_json(found: Comparison, words: str | None) -> dict[str, Any]:
    """Return the JSON representation of a comparison; `words` is the same in a sentence."""
    return {
        "inside": _tally(found.inside),
        "others": _tally(found.others),
        **_judged(found, words),
    }


def _judged(found: Comparison, words: str | None) -> dict[str, Any]:
    inside, others = found.like
    return {
        "like_for_like": None
        if inside.rate is None or others.rate is None
        else {
            "reported": inside.total,
            "rate": round(inside.rate, DIGITS),
            "expected": round(others.rate, DIGITS),
        },
        "difference": _difference(found),
        "difference_interval": range_to_json(found.difference),
        "verdict": found.verdict.value,
        "in_words": words,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    rate = tally.share.rate
    return {
        "deploys": tally.deploys,
        "overrides": tally.overrides,
        "reported": tally.reported,
        "failed": tally.failed,
        "rate": None if rate is None else round(rate, DIGITS),
        "interval": None if rate is None else range_to_json(tally.range),
    }


def _difference(found: Comparison) -> float | None:
    here, there = (share.rate for share in found.like)
    return None if here is None or there is None else round(here - there, DIGITS)


def range_to_json(found: Range | None) -> list[float] | None:
    """Return an interval, rounded; null if there is none."""
    return None if found is None else [round(found.low, DIGITS), round(found.high, DIGITS)]


def _waits(waits: Waits) -> dict[str, Any]:
    return {
        "count": waits.ended,
        "median_s": waits.median,
        "p90_s": waits.p90,
        "never_came_back": waits.never,
        "still_waiting": waits.waiting,
        "in_words": waits_in_words(waits),
    }


def method_of(comparisons: int) -> dict[str, Any]:
    """Return the number of comparisons, and the confidence of each that corrects for it."""
    return {"comparisons": comparisons, "confidence_of_each": round(shared_out(comparisons), 6)}
