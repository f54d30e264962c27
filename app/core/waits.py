"""How long deploys waited: from the first deny of a request to the next allowed claim that is the same.

The same is what is for the same service, environment and kind of change: a rollback that a policy
lets through does not end the wait of what was denied.
"""

from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from app.core.instant import DAY
from app.core.interval import Interval

PATIENCE: Final = 14 * DAY
"""Seconds after which a deploy that was denied is said not to have come back: an allowed claim later
than that is of another deploy."""


Request = tuple[str, str, str]
"""Service, environment and kind of change."""


class Waits(NamedTuple):
    """How those that were denied fared; times in seconds."""

    ended: int
    """Those that came back and were allowed."""
    median: int | None
    p90: int | None
    never: int
    """Those that did not come back in time."""
    waiting: int
    """Those that still may."""


class _Waiting:
    """A deploy that was denied."""

    __slots__ = ("policies", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.policies: set[str] = set()


class _Ends:
    """How waits ended."""

    __slots__ = ("lengths", "never", "waiting")

    def __init__(self) -> None:
        self.lengths = array("l")
        self.never = 0
        self.waiting = 0

    def summary(self) -> Waits:
        lengths = sorted(self.lengths)
        return Waits(len(lengths), _rank(lengths, 50), _rank(lengths, 90), self.never, self.waiting)


class Queue:
    """Follows decisions in the order of their instants, and sees who waits.

    It must be shown those of `PATIENCE` before and after the period, too: who is denied before it
    waits already, and who is denied at its end comes back after it.
    """

    def __init__(self, period: Interval) -> None:
        """Count the waits that begin in a period."""
        self._period = period
        self._waiting: dict[Request, _Waiting] = {}
        self._all = _Ends()
        self._of_policies: dict[str, _Ends] = {}

    def denied(self, at: int, request: Request, policies: Iterable[str]) -> None:
        """A claim was denied."""
        waiting = self._waiting.get(request)
        if waiting is not None and at - waiting.since > PATIENCE:
            self._give_up(waiting)
            waiting = None
        if waiting is None:
            waiting = self._waiting[request] = _Waiting(at)
        waiting.policies.update(policies)

    def allowed(self, at: int, request: Request) -> None:
        """A claim was allowed."""
        waiting = self._waiting.pop(request, None)
        if waiting is None:
            return
        if at - waiting.since > PATIENCE:
            self._give_up(waiting)
        else:
            for ends in self._ends(waiting):
                ends.lengths.append(at - waiting.since)

    def finish(self, now: int) -> tuple[Waits, dict[str, Waits]]:
        """The waits of the period, all of them and of each policy; those that may still end know it."""
        for waiting in self._waiting.values():
            if now - waiting.since > PATIENCE:
                self._give_up(waiting)
            else:
                for ends in self._ends(waiting):
                    ends.waiting += 1
        self._waiting = {}
        return self._all.summary(), {name: ends.summary() for name, ends in self._of_policies.items()}

    def _give_up(self, waiting: _Waiting) -> None:
        for ends in self._ends(waiting):
            ends.never += 1

    def _ends(self, waiting: _Waiting) -> list[_Ends]:
        """Where a wait is counted: nowhere, if it began outside the period."""
        if not self._period[0] <= waiting.since < self._period[1]:
            return []
        return [self._all, *(self._of_policies.setdefault(name, _Ends()) for name in waiting.policies)]


NO_WAITS: Final = Waits(0, None, None, 0, 0)


def _rank(lengths: list[int], percent: int) -> int | None:
    """The shortest that so many per cent do not exceed (nearest rank)."""
    if not lengths:
        return None
    return lengths[max(0, -(-len(lengths) * percent // 100) - 1)]
