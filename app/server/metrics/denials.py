"""Denials, by what vetoed. Ids come out of the policy files; freezes share one name."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from app.core.answer import AD_HOC
from app.core.policy import Effect
from app.gate.in_force import Policies


class Denials(Collector):
    """Counts in a plain dictionary: a thousand policies need no thousand locks."""

    def __init__(self, policies: Policies) -> None:
        """Show every policy in force from the start, so that its first denial is a rise."""
        self._policies = policies
        self._counts: Counter[str] = Counter()

    def count(self, blocking: Iterable[str]) -> None:
        """Count a deny for each of what vetoed."""
        for name in blocking:
            self._counts[name] += 1

    def collect(self) -> Iterable[Metric]:
        """What was counted since the start."""
        family = CounterMetricFamily(
            "freezegate_denials",
            "Denies, by each policy that vetoed; all ad-hoc freezes together are `ad-hoc`",
            labels=["policy"],
        )
        policies = self._policies.in_force.policy_set.policies
        in_force = (policy.id for policy in policies if policy.effect is not Effect.WARN)
        # A copy is made in one step, whatever the event loop counts meanwhile.
        counts = {AD_HOC: 0, **dict.fromkeys(in_force, 0), **self._counts.copy()}
        for name, count in counts.items():
            family.add_metric([name], count)
        yield family
