"""Waiting times of deploys: from the first denial of a request to its next allowed claim.

Requests are equal if service, environment and kind of change are: an exempt rollback doesn't end the wait
of a denied deploy. Decisions count in the order of the record.
"""

from array import array
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from app.core.instant import DAY
from app.core.interval import Interval

PATIENCE: Final = 14 * DAY
"""Seconds after which a denied deploy counts as abandoned: a later allowed claim is another deploy."""

GIVEN_UP: Final = -1
"""The end of a wait that was followed by another, or by an allowed claim too late."""

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


class Wait(NamedTuple):
    """The wait of a denied deploy; instants in seconds."""

    since: int
    """The instant of the first denial."""
    seq: int
    """The position of the first denial in the record."""
    policies: frozenset[str]
    """The ids under which the vetoes of its denials are counted."""
    ends: int | None
    """The instant of the allowed claim, or `GIVEN_UP`; None as long as neither is known."""

    def is_over_at(self, at: int) -> bool:
        """Return whether a claim at an instant comes too late to end it."""
        return at - self.since > PATIENCE

    def ended_at(self, at: int) -> "Wait":
        """Return the wait after an allowed claim; where a clock went back, it took no time."""
        return self._replace(ends=GIVEN_UP if self.is_over_at(at) else max(at, self.since))


class Waiting:
    """The waits that decisions begin and end, in the order of the record."""

    def __init__(self, standing: Mapping[Request, Wait] | None = None) -> None:
        """Continue from the waits that have not ended."""
        self._standing = dict(standing or {})
        self.changed: dict[tuple[int, int], tuple[Request, Wait]] = {}
        """The waits that began, ended or got another policy, by `since` and `seq`."""

    def denied(self, seq: int, at: int, request: Request, policies: frozenset[str]) -> None:
        """Take a denied claim."""
        wait = self._standing.get(request)
        if wait is not None and wait.is_over_at(at):
            self._change(request, wait._replace(ends=GIVEN_UP))
            wait = None
        if wait is None:
            wait = Wait(at, seq, policies, None)
        elif policies <= wait.policies:
            return
        else:
            wait = wait._replace(policies=wait.policies | policies)
        self._standing[request] = wait
        self._change(request, wait)

    def allowed(self, at: int, request: Request) -> None:
        """Take an allowed claim."""
        wait = self._standing.pop(request, None)
        if wait is not None:
            self._change(request, wait.ended_at(at))

    def _change(self, request: Request, wait: Wait) -> None:
        self.changed[wait.since, wait.seq] = request, wait


class WaitEnds:
    """The ends of waits."""

    __slots__ = ("lengths", "never", "unended")

    def __init__(self) -> None:
        """Begin with none."""
        self.lengths = array("l")
        self.never = 0
        self.unended = array("l")
        """The instants since which those wait that have not ended."""

    def add(self, since: int, ends: int | None) -> None:
        """Count a wait."""
        if ends is None:
            self.unended.append(since)
        elif ends == GIVEN_UP:
            self.never += 1
        else:
            self.lengths.append(ends - since)

    def extend(self, others: "WaitEnds") -> None:
        """Count other waits, too."""
        self.lengths.extend(others.lengths)
        self.never += others.never
        self.unended.extend(others.unended)

    def summary(self, now: int) -> Waits:
        """Return their summary; those that have not ended are judged at `now`."""
        lengths = sorted(self.lengths)
        never = sum(now - since > PATIENCE for since in self.unended)
        return Waits(
            len(lengths),
            _rank(lengths, 50),
            _rank(lengths, 90),
            self.never + never,
            len(self.unended) - never,
        )


class WaitTally:
    """The waits that begin in a period, in total and by policy."""

    def __init__(self, period: Interval) -> None:
        """Begin with none."""
        self._start, self._end = period
        self._all = WaitEnds()
        self._of_policies: dict[str, WaitEnds] = {}

    def take(self, waits: Iterable[Wait]) -> None:
        """Count waits; those that begin outside the period are left out."""
        for wait in waits:
            if self._start <= wait.since < self._end:
                ends = WaitEnds()
                ends.add(wait.since, wait.ends)
                self.extend(wait.policies, ends)

    def extend(self, policies: Iterable[str], ends: WaitEnds) -> None:
        """Count waits of the same policies, all of which begin in the period."""
        self._all.extend(ends)
        for name in policies:
            self._of_policies.setdefault(name, WaitEnds()).extend(ends)

    def finish(self, now: int) -> tuple[Waits, dict[str, Waits]]:
        """Return the waits in total and by policy; those that have not ended are judged at `now`."""
        of_policies = {name: ends.summary(now) for name, ends in self._of_policies.items()}
        return self._all.summary(now), of_policies


NO_WAITS: Final = Waits(0, None, None, 0, 0)


def _rank(lengths: list[int], percent: int) -> int | None:
    """Return a percentile by nearest rank."""
    if not lengths:
        return None
    return lengths[max(0, -(-len(lengths) * percent // 100) - 1)]
