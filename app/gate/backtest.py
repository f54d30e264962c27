"""The backtest of a candidate: the decisions of a period, read page by page and judged in this thread."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.backtest import EXAMPLES, Backtest, Backtesting, Recorded
from app.core.compiled import CompiledPolicies
from app.core.errors import UnknownNameError
from app.core.policy import Effect, PolicySet
from app.gate.errors import BusyError
from app.gate.job_queue import IsUnwanted
from app.gate.pruned_record import kept_since
from app.gate.record import RunQuery
from app.store.records import DecidedFilter

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.view import View

PATIENCE: Final = 20_000_000
"""Microseconds after which a gate stops, and returns what it has; before the deadline of a job."""

_TOGETHER: Final = 5_000
"""Decisions that are read, and kept in memory, at a time."""


class BacktestRequest(NamedTuple):
    """The filter of the decisions; None matches all."""

    start: int
    """From this instant, in seconds."""
    end: int
    """Before this instant, in seconds."""
    service: str | None = None
    environment: str | None = None
    change: str | None = None


class Progress(NamedTuple):
    """The progress of a backtest, which begins with the oldest decisions."""

    decisions: int
    """The decisions that were judged."""
    total: int
    """The decisions of the period, as counted at the start."""
    until: int | None
    """The instant of the last one; None before the first."""


class Backtested(NamedTuple):
    """A backtest, and whether all decisions of the period are in it."""

    found: Backtest
    progress: Progress
    complete: bool
    since: int | None = None
    """The instant up to which decisions of the period were pruned, in seconds; None if none were."""


class Backtests:
    """The use case of a running gate."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Read `store`; `clock` bounds how long it takes."""
        self._store = store
        self._clock = clock

    def run(
        self, candidate: CompiledPolicies, wanted: BacktestRequest, is_unwanted: IsUnwanted, since: int
    ) -> Backtested:
        """Return the backtest of a candidate, or of the part for which there was time; as a job.

        Args:
            candidate: the policies.
            wanted: the filter of the decisions.
            is_unwanted: see `JobQueue`.
            since: when it was requested, by `Clock.elapsed`.

        Raises:
            BusyError: the result is no longer wanted.
            StoreUnavailableError: the decisions can't be read.
        """

        def stop() -> bool:
            if is_unwanted():
                raise BusyError("the backtest was stopped")
            return self._clock.elapsed() - since > PATIENCE

        return backtest(self._store.query, candidate, wanted, stop)


def backtest(
    query: RunQuery,
    candidate: CompiledPolicies,
    wanted: BacktestRequest,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Backtested:
    """Return what a candidate would have done to the decisions of a period.

    Args:
        query: runs a query on the store; some thousand decisions are read, and kept in memory, at a time.
        candidate: the policies.
        wanted: the filter of the decisions.
        stop: called between pages; true to return what was found so far.
        progress: called after each page.

    Raises:
        StoreUnavailableError: the decisions can't be read.
    """
    chosen = DecidedFilter(*wanted)
    total, since = query(lambda view: (view.count_recorded(chosen), kept_since(view)))
    since = since if since is not None and since >= wanted.start else None
    counting = Backtesting(candidate, (wanted.start, wanted.end), EXAMPLES)
    reached = Progress(0, total, None)
    for page in _pages(query, chosen):
        counting.take(page)
        if page:
            reached = Progress(reached.decisions + len(page), total, page[-1].at)
            progress(reached)
        if len(page) == _TOGETHER and stop():
            return Backtested(counting.finish(), reached, complete=False, since=since)
    # Claims that came in since then belong to the period, too.
    reached = reached._replace(total=reached.decisions)
    return Backtested(counting.finish(), reached, complete=True, since=since)


def switched_on(policy_set: PolicySet, policy_id: str) -> PolicySet:
    """Return a policy set with one policy that warns denying instead; one that vetoes already stays as it is.

    Raises:
        UnknownNameError: there is no such policy.
    """
    policies = list(policy_set.policies)
    for number, policy in enumerate(policies):
        if policy.id == policy_id:
            if policy.effect is Effect.WARN:
                policies[number] = policy.model_copy(update={"effect": Effect.DENY})
            return policy_set.model_copy(update={"policies": policies})
    raise UnknownNameError("policy", policy_id, tuple(policy.id for policy in policies))


def _pages(query: RunQuery, chosen: DecidedFilter) -> Iterator[list[Recorded]]:
    after = (chosen.start, 0)
    while True:
        page = query(partial(_page, chosen=chosen, after=after))
        yield page
        if len(page) < _TOGETHER:
            return
        after = (page[-1].at, page[-1].seq)


def _page(view: "View", chosen: DecidedFilter, after: tuple[int, int]) -> list[Recorded]:
    return view.recorded(chosen, after, _TOGETHER)
