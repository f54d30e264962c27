"""The age of the record, and its pruning."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.pruning import Pruning


class RecordAge(Collector):
    """The state of pruning as of the last look, some minutes ago; doesn't query the store."""

    def __init__(self, pruning: Pruning, clock: Clock) -> None:
        """Read the state of `pruning`, by the time of `clock`."""
        self._pruning = pruning
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the age of the oldest decision, and how pruning goes."""
        state = self._pruning.state
        oldest_at = self._clock.now() if state.oldest_at is None else state.oldest_at
        yield GaugeMetricFamily(
            "freezegate_record_oldest_age_seconds",
            "Age of the oldest decision in the database, 0 if there is none",
            max(0, self._clock.now() - oldest_at),
        )
        yield GaugeMetricFamily(
            "freezegate_record_pruned_timestamp_seconds",
            "When the record was last pruned, by any process; 0 if it never was",
            state.pruned_at or 0,
        )
        yield CounterMetricFamily(
            "freezegate_record_pruned_events", "Events that this replica has pruned", state.events
        )
        yield CounterMetricFamily(
            "freezegate_record_prune_failures", "Prunings of this replica that failed", state.failures
        )
        yield GaugeMetricFamily(
            "freezegate_record_prune_waiting_events",
            "Old events that are not pruned yet, as the SIEM doesn't have them",
            state.waiting,
        )
