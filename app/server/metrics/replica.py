"""The cached state of the store, read at the moment of the scrape."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.core.freeze import FreezeState
from app.gate.in_force import Policies
from app.gate.store_cache import StoreCache


class ReplicaState(Collector):
    """Freezes, overrides and the reachability of the store, from the cache; doesn't query the store."""

    def __init__(self, cache: StoreCache, policies: Policies, clock: Clock) -> None:
        """Read `cache`, and the freezes in force with `policies`."""
        self._cache = cache
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the state now, as far as the cache knows."""
        yield GaugeMetricFamily(
            "freezegate_store_degraded",
            "1 while the store can't be reached and claims are refused",
            value=float(self._cache.degraded_since is not None),
        )
        yield GaugeMetricFamily(
            "freezegate_clock_behind_seconds",
            "Seconds that the clock is behind the latest event of the record; 0 if by no more than one",
            value=self._cache.steady.behind() / 1_000_000,
        )
        yield GaugeMetricFamily(
            "freezegate_overrides_active",
            "Overrides that may let something through, some seconds ago",
            value=self._cache.overrides.active,
        )
        yield GaugeMetricFamily(
            "freezegate_overrides_pending",
            "Overrides that wait for an approval, some seconds ago",
            value=self._cache.overrides.pending,
        )
        yield from self._freezes()

    def _freezes(self) -> Iterable[Metric]:
        now = self._clock.now()
        freezes = self._policies.in_force.engine.freezes
        started = [freeze.starts_at for freeze in freezes if freeze.state(now) is FreezeState.ACTIVE]
        yield GaugeMetricFamily(
            "freezegate_freezes_active", "Ad-hoc freezes that last at the moment", value=len(started)
        )
        yield GaugeMetricFamily(
            "freezegate_freezes_oldest_age_seconds",
            "Seconds since the oldest ad-hoc freeze that lasts at the moment began; 0 if none lasts",
            value=now - min(started, default=now),
        )
        yield GaugeMetricFamily(
            "freezegate_freezes_forgotten",
            "Ad-hoc freezes without an end that have lasted for over a day",
            value=sum(freeze.forgotten(now) for freeze in freezes),
        )
