"""The vetoes of a policy set over very many past requests; ad-hoc freezes are none of its business."""

from typing import Final

from app.core.compiled import CompiledPolicies
from app.core.continuation import LONGEST_RUN
from app.core.coverage import Coverage, CoverageIndex
from app.core.instant import DAY, LATEST
from app.core.interval import Interval
from app.core.policy import Effect

LONGEST_DEPLOY: Final = 31 * DAY
"""The longest duration that a claim may name; whatever begins later doesn't veto it."""

_MOST_VETOES: Final = 50_000
"""Sets of active policies that are held at a time."""


class Veto:
    """The policies, by number, that veto a deploy together; false if nothing vetoes it."""

    __slots__ = ("for_good", "policies", "stopping")

    def __init__(self, policies: tuple[int, ...], stopping: tuple[int, ...], *, for_good: bool) -> None:
        """Take the policies in the order of their numbers."""
        self.policies = policies
        self.stopping = stopping
        """Of these, the ones that stop running deploys, too."""
        self.for_good = for_good
        """Whether no token lifts it."""

    def __bool__(self) -> bool:
        return self.for_good or bool(self.policies)


REFUSED: Final = Veto((), (), for_good=True)
"""The veto against a service that the set refuses as unknown: by no policy, and no token lifts it."""


class Vetoes:
    """Find the vetoes of a policy set against deploys that begin in a period."""

    def __init__(self, compiled: CompiledPolicies, period: Interval) -> None:
        """Use the policies as they are; each is compiled on first use."""
        start, end = period
        self._last = min(end + LONGEST_DEPLOY, LATEST)
        self._coverage = CoverageIndex(compiled, (start, self._last))
        policies = compiled.policy_set.policies
        self._vetoing = [policy.effect is not Effect.WARN for policy in policies]
        self._stopping = [policy.running == "stop" for policy in policies]
        self._for_good = [policy.overridable == "never" for policy in policies]
        self._known: dict[tuple[int, ...], Veto] = {}

    def coverage(self, service: str, environment: str, change: str) -> Coverage:
        """Return when the policies are active that apply to a request, of names that the set lists."""
        return self._coverage.of(service, environment, change)

    def of_deploy(self, coverage: Coverage, at: int, duration: int) -> Veto:
        """Return the vetoes against a deploy: anywhere between its start and its end."""
        if duration <= 1:
            return self._of(coverage.at(at))
        return self._of(coverage.during(at, min(at + duration, self._last)))

    def of_step(self, coverage: Coverage, at: int, duration: int, first: tuple[int, int]) -> Veto:
        """Return the vetoes against a later step of a deploy that runs since an instant, for a duration.

        Up to its end only those that stop running deploys count, then all; see `app.core.continuation`.
        """
        first_at, first_duration = first
        until = first_at + min(first_duration, LONGEST_RUN)
        end = min(at + max(duration, 1), self._last)
        stopped = {*self._of(coverage.during(at, end)).stopping}
        if end > until:
            stopped.update(self._of(coverage.during(max(at, until), end)).policies)
        return self._of(tuple(sorted(stopped)))

    def _of(self, active: tuple[int, ...]) -> Veto:
        found = self._known.get(active)
        if found is None:
            if len(self._known) >= _MOST_VETOES:
                self._known.clear()
            policies = tuple(number for number in active if self._vetoing[number])
            found = self._known[active] = Veto(
                policies,
                tuple(number for number in policies if self._stopping[number]),
                for_good=any(self._for_good[number] for number in policies),
            )
        return found
