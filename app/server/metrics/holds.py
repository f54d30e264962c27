"""The deploys that wait, as counted some seconds ago."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.core.hold import UNFINISHED
from app.gate.in_force import Policies
from app.gate.store_cache import StoreCache


class Holds(Collector):
    """The holds by environment and state, from the cache; doesn't query the store."""

    def __init__(self, cache: StoreCache, policies: Policies, clock: Clock) -> None:
        """Read the counts of `cache`, for the environments of `policies`, by the time of `clock`."""
        self._cache = cache
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield how many wait, since when, and how many answers were not taken."""
        unfinished = GaugeMetricFamily(
            "freezegate_holds_unfinished",
            "Deploys that wait, and those whose answer is on the way, some seconds ago",
            labels=["environment", "state"],
        )
        oldest = GaugeMetricFamily(
            "freezegate_holds_oldest_age_seconds",
            "Seconds since the oldest of them began to wait; 0 if there is none",
            labels=["environment", "state"],
        )
        counted = {(each.environment, each.state): each for each in self._cache.holds.unfinished}
        now = self._clock.now()
        # Environments that the policies no longer list may have holds that wait.
        names = dict.fromkeys(
            (*self._policies.in_force.policy_set.environments, *(name for name, _ in counted))
        )
        for labels in ((name, state.value) for name in names for state in sorted(UNFINISHED)):
            each = counted.get(labels)
            unfinished.add_metric(labels, 0 if each is None else each.holds)
            # The clock of the replica that took it in may be ahead.
            oldest.add_metric(labels, 0 if each is None else max(0, now - each.oldest_at))
        yield unfinished
        yield oldest
        yield GaugeMetricFamily(
            "freezegate_holds_failed",
            "Deploys of the last day whose system did not take the answer, some seconds ago",
            value=self._cache.holds.failed,
        )
