"""Counts of decisions by determining rule. Policies go by their ids; ad-hoc freezes share one name."""

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
    """Decision counts in a plain dictionary, rather than a lock for each of a thousand policies."""

    def __init__(self, policies: Policies) -> None:
        """Begin at 0 for every policy in force, so that its first denial is an increase."""
        self._policies = policies
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, outcome: str, determined_by: Iterable[str], times: int = 1) -> None:
        """Count so many decisions for each rule that determined them."""
        for name in determined_by:
            self._counts[name, outcome] += times

    def collect(self) -> Iterable[Metric]:
        """Yield the counts since the start."""
        family = CounterMetricFamily(
            "freezegate_policy_decisions",
            "Decisions that a policy determined: denies, overrides of it, warnings; "
            "all ad-hoc freezes together are `ad-hoc`",
            labels=["policy", "outcome"],
        )
        # `copy` is atomic, while the event loop may go on counting.
        counts = {**dict.fromkeys(self._possible(), 0), **self._counts.copy()}
        for labels, count in counts.items():
            family.add_metric(labels, count)
        yield family

    def _possible(self) -> Iterable[tuple[str, str]]:
        yield from ((AD_HOC, outcome) for outcome in _VETOING)
        for policy in self._policies.in_force.policy_set.policies:
            outcomes = _WARNING if policy.effect is Effect.WARN else _VETOING
            yield from ((policy.id, outcome) for outcome in outcomes)
