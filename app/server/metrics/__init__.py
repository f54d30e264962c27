"""The Prometheus metrics. No label has values that a caller can invent."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from app.clock import Clock
from app.core.decision import Outcome
from app.gate.gate import Gate
from app.gate.in_force import Policies
from app.gate.notifications import Notifications
from app.gate.pruning import Pruning
from app.server.metrics.calendars import Calendars
from app.server.metrics.decisions import PolicyDecisions
from app.server.metrics.holds import Holds
from app.server.metrics.merges import MergeHeads
from app.server.metrics.notifications import Outbox
from app.server.metrics.policies import EnvironmentState, PolicyState
from app.server.metrics.projections import ProjectionStates
from app.server.metrics.record_feeds import RecordFeeds
from app.server.metrics.replica import ReplicaState
from app.server.metrics.retention import RecordAge
from app.server.metrics.versions import Versions
from app.server.metrics.writing import Writing

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of duration buckets, in seconds; a claim waits for two seconds at most."""


class Metrics:
    """The metrics of one gate, in a registry of their own."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Count requests and decisions; read the state of `policies` when scraped."""
        self._policies = policies
        self._clock = clock
        self._registry = CollectorRegistry()
        self._of_policies = PolicyDecisions(policies)
        for collector in (
            Versions(),
            PolicyState(policies, clock),
            EnvironmentState(policies, clock),
            Calendars(policies, clock),
            self._of_policies,
        ):
            self._registry.register(collector)
        decisions = Counter(
            "freezegate_decisions_total",
            "Answers given, by outcome and by whether they were questions, claims or repeated claims",
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
            buckets=SECONDS,
            registry=self._registry,
        )
        self._claims = Histogram(
            "freezegate_claim_duration_seconds",
            "Time that a claim took to be decided and recorded, also where that failed",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._refused = Counter(
            "freezegate_refused_requests_total",
            "Requests refused for their caller or beyond a limit, by route, status and reason",
            ["route", "status", "reason"],
            registry=self._registry,
        )
        self._refused_webhooks = Counter(
            "freezegate_webhooks_refused_total",
            "Webhooks without a valid signature, by the vendor whose route they were sent to",
            ["source"],
            registry=self._registry,
        )
        self._incidents = Counter(
            "freezegate_incidents_total",
            "Reports of incidents, by the system that sent them and by what they led to",
            ["source", "result"],
            registry=self._registry,
        )
        self._writing = Writing(self._registry, clock, SECONDS)
        # Cached, because looking a child up by its labels costs 32 µs a request.
        self._decision_children = {
            (outcome.value, verb): decisions.labels(outcome.value, verb)
            for outcome in Outcome
            for verb in ("question", "claim", "repeat")
        }
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._duration_children: dict[str, Histogram] = {}

    def watch(self, gate: Gate) -> None:
        """Add the metrics of freezes, overrides, projections, merges, and the store."""
        self._registry.register(ReplicaState(gate.cache, self._policies, self._clock))
        self._registry.register(Holds(gate.cache, self._policies, self._clock))
        self._registry.register(ProjectionStates(gate.projections, self._clock))
        self._registry.register(MergeHeads(gate.merges))
        self._registry.register(RecordFeeds(gate.feeds, gate.anchorings, self._clock))
        gate.watched_by(self._writing)

    def watch_outbox(self, notifications: Notifications) -> None:
        """Add the metrics of undelivered notifications."""
        self._registry.register(Outbox(notifications, self._clock))

    def watch_pruning(self, pruning: Pruning) -> None:
        """Add the metrics of the age of the record, and of its pruning."""
        self._registry.register(RecordAge(pruning, self._clock))

    def decided(self, outcome: str, asked_by: str, determined_by: Iterable[str], times: int = 1) -> None:
        """Count a decision.

        Args:
            outcome: of the decision.
            asked_by: ``question``, ``claim``, or ``repeat`` for a claim that repeats one of the same deploy.
            determined_by: see `decision_json.determined_by`.
            times: the number of such decisions.
        """
        self._decision_children[outcome, asked_by].inc(times)
        if asked_by != "repeat":
            self._of_policies.count(outcome, determined_by, times)

    def claimed(self, microseconds: int) -> None:
        """Record the duration of a claim."""
        self._claims.observe(max(0, microseconds) / 1_000_000)

    def refused(self, route: str, status: int, reason: str) -> None:
        """Count a refused request; `route` is the template of its path, and `reason` a sentence of ours."""
        self._refused.labels(route, str(int(status)), reason).inc()

    def expect_webhooks(self, source: str) -> None:
        """Begin at 0 for a vendor, so that the first refusal is an increase."""
        self._refused_webhooks.labels(source)

    def webhook_refused(self, source: str) -> None:
        """Count a webhook without a valid signature; `source` is a vendor that has a route."""
        self._refused_webhooks.labels(source).inc()

    def incident_reported(self, source: str, result: str) -> None:
        """Count a signed report of an incident; both are words of ours."""
        self._incidents.labels(source, result).inc()

    def served(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template of its path, never the path itself."""
        counter = self._request_children.get((route, status))
        if counter is None:
            counter = self._request_children[route, status] = self._requests.labels(route, str(status))
            self._duration_children.setdefault(route, self._durations.labels(route))
        counter.inc()
        self._duration_children[route].observe(seconds)

    def page(self) -> bytes:
        """Return all metrics in the Prometheus text format; slow with many policies."""
        return generate_latest(self._registry)
