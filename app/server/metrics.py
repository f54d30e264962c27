"""What Prometheus may ask. No label has values that a caller can invent."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.core.decision import Outcome
from app.core.freeze import FreezeState
from app.gate.in_force import Policies
from app.gate.replica import Replica

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The metrics of one gate, in a registry of their own."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Count requests and decisions; read the state of `policies` when scraped."""
        self._policies = policies
        self._clock = clock
        self._registry = CollectorRegistry()
        self._registry.register(_PolicyState(policies, clock))
        decisions = Counter(
            "freezegate_decisions_total",
            "Answers given, by outcome and by whether they were claims or questions",
            ["outcome", "asked_by"],
            registry=self._registry,
        )
        self._requests = Counter(
            "freezegate_requests_total",
            "Requests, by route and status",
            ["route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "freezegate_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        # Looking a child up by its labels costs 32 µs a request; these are kept.
        self._decision_children = {
            (outcome.value, verb): decisions.labels(outcome.value, verb)
            for outcome in Outcome
            for verb in ("question", "claim")
        }
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._duration_children: dict[str, Histogram] = {}

    def watch(self, replica: Replica) -> None:
        """Tell of freezes, and of whether the store can be reached."""
        self._registry.register(_ReplicaState(replica, self._policies, self._clock))

    def decided(self, outcome: str, asked_by: str) -> None:
        """Count an answer; `asked_by` is ``question`` or ``claim``."""
        self._decision_children[outcome, asked_by].inc()

    def served(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template of its path, never the path itself."""
        counter = self._request_children.get((route, status))
        if counter is None:
            counter = self._request_children[route, status] = self._requests.labels(route, str(status))
            self._duration_children.setdefault(route, self._durations.labels(route))
        counter.inc()
        self._duration_children[route].observe(seconds)

    def page(self) -> bytes:
        """Everything, in the Prometheus text format."""
        return generate_latest(self._registry)


class _PolicyState(Collector):
    """Reads the state of the policies at the moment of the scrape."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        in_force = self._policies.in_force
        age = GaugeMetricFamily(
            "freezegate_policies_age_seconds", "Seconds since the policies in force were loaded"
        )
        age.add_metric([], self._clock.now() - in_force.loaded_at)
        yield age
        failed = GaugeMetricFamily(
            "freezegate_policies_stale",
            "1 while a changed policy file is refused and the set before it stays in force",
        )
        failed.add_metric([], float(self._policies.last_error is not None))
        yield failed
        info = GaugeMetricFamily(
            "freezegate_policies_info", "The policies in force, by their revision", labels=["revision"]
        )
        info.add_metric([in_force.revision], 1)
        yield info


class _ReplicaState(Collector):
    """Reads what is remembered of the store at the moment of the scrape."""

    def __init__(self, replica: Replica, policies: Policies, clock: Clock) -> None:
        self._replica = replica
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        degraded = GaugeMetricFamily(
            "freezegate_store_degraded", "1 while the store can't be reached and claims are refused"
        )
        degraded.add_metric([], float(self._replica.degraded_since is not None))
        yield degraded
        now = self._clock.now()
        freezes = self._policies.in_force.engine.freezes
        active = GaugeMetricFamily("freezegate_freezes_active", "Ad-hoc freezes that last at the moment")
        active.add_metric([], sum(freeze.state(now) is FreezeState.ACTIVE for freeze in freezes))
        yield active
        forgotten = GaugeMetricFamily(
            "freezegate_freezes_forgotten", "Ad-hoc freezes without an end that have lasted for over a day"
        )
        forgotten.add_metric([], sum(freeze.forgotten(now) for freeze in freezes))
        yield forgotten
