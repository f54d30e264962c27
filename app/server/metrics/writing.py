"""The metrics of writes to the store. The store reports them, mostly on its writer's thread."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from app.clock import Clock
from app.gate.audit_events import Kind

_BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ACTIONS: Final = {
    Kind.OVERRIDE_GRANTED: "granted",
    Kind.OVERRIDE_APPROVED: "approved",
    Kind.OVERRIDE_SPENT: "spent",
    Kind.OVERRIDE_REVOKED: "revoked",
}
_HOLDS: Final = {
    Kind.HOLD_REQUESTED: "requested",
    Kind.HOLD_RELEASED: "released",
    Kind.HOLD_RETURNED: "returned",
    Kind.HOLD_CANCELLED: "cancelled",
    Kind.HOLD_EXPIRED: "expired",
}


class Writing:
    """The commits of this replica, their duration, and the failed ones."""

    def __init__(self, registry: CollectorRegistry, clock: Clock, buckets: Sequence[float]) -> None:
        """Put the metrics into `registry`; time by `clock`."""
        self._clock = clock
        self._seconds = Histogram(
            "freezegate_store_commit_duration_seconds",
            "Time that a batch of claims and operations took to be written, its flush to disk included",
            buckets=buckets,
            registry=registry,
        )
        self._works = Histogram(
            "freezegate_store_batch_size",
            "Claims and operations that were written together",
            buckets=_BATCH_SIZES,
            registry=registry,
        )
        self._failures = Counter(
            "freezegate_write_failures_total",
            "Claims and operations that were refused because they could not be recorded",
            registry=registry,
        )
        overrides = Counter(
            "freezegate_overrides_total",
            "What became of overrides on this replica: granted, approved, spent, revoked",
            ["action"],
            registry=registry,
        )
        holds = Counter(
            "freezegate_holds_total",
            "What became of holds on this replica: requested, released, returned, cancelled, expired",
            ["action"],
            registry=registry,
        )
        self._actions = {kind.value: overrides.labels(action) for kind, action in _ACTIONS.items()}
        self._actions |= {kind.value: holds.labels(action) for kind, action in _HOLDS.items()}

    @contextlib.contextmanager
    def batch(self, works: int) -> Iterator[None]:
        """Time the writing of a batch, also of one that fails."""
        started = self._clock.microseconds()
        try:
            yield
        finally:
            self._seconds.observe(max(0, self._clock.microseconds() - started) / 1_000_000)
            self._works.observe(works)

    def recorded(self, kinds: Sequence[str]) -> None:
        """Count committed events by kind."""
        for kind in kinds:
            counter = self._actions.get(kind)
            if counter is not None:
                counter.inc()

    def refused(self) -> None:
        """Count a claim or operation that was refused because it could not be recorded."""
        self._failures.inc()
