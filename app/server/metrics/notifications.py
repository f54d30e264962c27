"""The backlog of each receiver of notifications, as counted some seconds ago."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.notifications import Notifications


class Outbox(Collector):
    """The backlog by receiver name, from the last count; doesn't query the store."""

    def __init__(self, notifications: Notifications, clock: Clock) -> None:
        """Read the counts of `notifications`, by the time of `clock`."""
        self._notifications = notifications
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the number of waiting notifications and the age of the oldest, for each receiver."""
        waiting = GaugeMetricFamily(
            "freezegate_notifications_waiting",
            "Notifications that a receiver has not taken yet, some seconds ago",
            labels=["receiver"],
        )
        oldest = GaugeMetricFamily(
            "freezegate_notifications_oldest_age_seconds",
            "Seconds since the oldest notification that waits for a receiver was put; 0 if none waits",
            labels=["receiver"],
        )
        now = self._clock.now()
        for name, backlog in self._notifications.backlog.items():
            waiting.add_metric([name], backlog.waiting)
            # The clock of the replica that enqueued it may be ahead.
            oldest.add_metric([name], max(0, now - backlog.oldest_at) if backlog.waiting else 0)
        yield waiting
        yield oldest
