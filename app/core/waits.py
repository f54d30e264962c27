"""Waiting times of deploys: from the first denial of a request to its next allowed claim.

Requests are equal if service, environment and kind of change are: an exempt rollback doesn't end the wait
of a denied deploy.
"""

from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from app.core.instant import DAY
from app.core.interval import Interval

PATIENCE: Final = 14 * DAY
"""Seconds after which a denied deploy counts as abandoned: a later allowed claim is another deploy."""


Request = tuple[str, str, str]
"""Service, environment and kind of change."""


class Waits(NamedTuple):
    """The waits of denied deploys; times in seconds."""

    ended: int
    """Deploys that were allowed later."""
    median: int | None
    p90: int | None
    never: int
    """Deploys that did not come back in time."""
    waiting: int
    """Deploys that still may."""


class _Waiting:
    """A denied deploy."""

    __slots__ = ("policies", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.policies: set[str] = set()


class _Ends:
    """The ends of waits."""

    __slots__ = ("lengths", "never", "waiting")

    def __init__(self) -> None:
        self.lengths = array("l")
        self.never = 0
        self.waiting = 0

    def summary(self) -> Waits:
        lengths = sorted(self.lengths)
        return Waits(len(lengths), _rank(lengths, 50), _rank(lengths, 90), self.never, self.waiting)


class Queue:
    """Track waits over decisions in the order of their instants.

    Also feed those of `PATIENCE` before and after the period: a deploy denied before it is already waiting,
    and one denied at its end comes back after it.
    """

    def __init__(self, period: Interval) -> None:
        """Count the waits that begin in a period."""
        self._period = period
        self._waiting: dict[Request, _Waiting] = {}
        self._all = _Ends()
        self._of_policies: dict[str, _Ends] = {}

    def denied(self, at: int, request: Request, policies: Iterable[str]) -> None:
        """Record a denied claim."""
        waiting = self._waiting.get(request)
        if waiting is not None and at - waiting.since > PATIENCE:
            self._give_up(waiting)
            waiting = None
        if waiting is None:
            waiting = self._waiting[request] = _Waiting(at)
        waiting.policies.update(policies)

    def allowed(self, at: int, request: Request) -> None:
        """Record an allowed claim."""
        waiting = self._waiting.pop(request, None)
        if waiting is None:
            return
        if at - waiting.since > PATIENCE:
            self._give_up(waiting)
        else:
            for ends in self._ends(waiting):
                ends.lengths.append(at - waiting.since)

    def finish(self, now: int) -> tuple[Waits, dict[str, Waits]]:
        """Return the waits of the period, in total and by policy; unfinished ones are counted apart."""
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
        """Return the counters of a wait: none if it began outside the period."""
        if not self._period[0] <= waiting.since < self._period[1]:
            return []
        return [self._all, *(self._of_policies.setdefault(name, _Ends()) for name in waiting.policies)]


NO_WAITS: Final = Waits(0, None, None, 0, 0)


def _rank(lengths: list[int], percent: int) -> int | None:
    """Return a percentile by nearest rank."""
    if not lengths:
        return None
    return lengths[max(0, -(-len(lengths) * percent // 100) - 1)]
