"""What waits for the receivers of notifications, as was counted some seconds ago."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.notifications import Notifications


class Outbox(Collector):
    """A receiver that takes nothing shows; their names come out of a file. Asks the store nothing."""

    def __init__(self, notifications: Notifications, clock: Clock) -> None:
        """Look at what `notifications` has counted, by the time of `clock`."""
        self._notifications = notifications
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """How many wait for each receiver, and for how long."""
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
            # The clock of the replica that put it may be ahead.
            oldest.add_metric([name], max(0, now - backlog.oldest_at) if backlog.waiting else 0)
        yield waiting
        yield oldest
