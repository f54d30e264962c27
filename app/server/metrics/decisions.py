"""Decisions, by what determined them. Ids come out of the policy files; freezes share one name."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from app.core.decision import Outcome
from app.core.decision_json import AD_HOC
from app.core.policy import Effect
from app.gate.in_force import Policies

_VETOING: Final = (Outcome.DENY.value, Outcome.OVERRIDE.value)
_WARNING: Final = (Outcome.WARN.value,)


class PolicyDecisions(Collector):
    """Counts in a plain dictionary: a thousand policies need no thousand locks."""

    def __init__(self, policies: Policies) -> None:
        """Show every policy in force from the start, so that its first denial is a rise."""
        self._policies = policies
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, outcome: str, determined_by: Iterable[str]) -> None:
        """Count a decision for each of what determined it."""
        for name in determined_by:
            self._counts[name, outcome] += 1

    def collect(self) -> Iterable[Metric]:
        """What was counted since the start."""
        family = CounterMetricFamily(
            "freezegate_policy_decisions",
            "Decisions that a policy determined: denies, overrides of it, warnings; "
            "all ad-hoc freezes together are `ad-hoc`",
            labels=["policy", "outcome"],
        )
        # A copy is made in one step, whatever the event loop counts meanwhile.
        counts = {**dict.fromkeys(self._possible(), 0), **self._counts.copy()}
        for labels, count in counts.items():
            family.add_metric(labels, count)
        yield family

    def _possible(self) -> Iterable[tuple[str, str]]:
        yield from ((AD_HOC, outcome) for outcome in _VETOING)
        for policy in self._policies.in_force.policy_set.policies:
            outcomes = _WARNING if policy.effect is Effect.WARN else _VETOING
            yield from ((policy.id, outcome) for outcome in outcomes)
