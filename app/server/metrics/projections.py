"""The places that this replica keeps in step with the policies and freezes in force."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.projections import Projections

_LABELS: Final = ("target", "place")


class ProjectionStates(Collector):
    """The state of each place, by names of the integrations file; doesn't query the store."""

    def __init__(self, projections: Projections, clock: Clock) -> None:
        """Read the states of `projections`, by the time of `clock`."""
        self._projections = projections
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the age, the drift and the refused policies of each place."""
        age = GaugeMetricFamily(
            "freezegate_projection_age_seconds",
            "Seconds since a place was last in step, or since this replica began to keep it so",
            labels=_LABELS,
        )
        drift = CounterMetricFamily(
            "freezegate_projection_drift",
            "Times that a place had other windows than were written",
            labels=_LABELS,
        )
        reverted = GaugeMetricFamily(
            "freezegate_projection_reverted", "1 while a place drifts again and again", labels=_LABELS
        )
        refused = GaugeMetricFamily(
            "freezegate_projection_refused_policies",
            "Policies that a target would not follow",
            labels=_LABELS,
        )
        now = self._clock.now()
        for names, state in list(self._projections.states.items()):
            age.add_metric(names, max(0, now - state.in_step_at))
            drift.add_metric(names, state.drifts)
            reverted.add_metric(names, float(state.is_reverted(now)))
            refused.add_metric(names, state.refused)
        yield from (age, drift, reverted, refused)
