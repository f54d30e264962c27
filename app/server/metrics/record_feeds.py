"""The events that wait for the SIEM, and how late the next anchor is; only on the replica that sends them."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.event_feed import Anchoring, EventFeed


class RecordFeeds(Collector):
    """The state of the feeds of the record; doesn't query the store."""

    def __init__(self, feeds: Iterable[EventFeed], anchorings: Iterable[Anchoring], clock: Clock) -> None:
        """Read the states of feeds and anchors that are added later, too, by the time of `clock`."""
        self._feeds = feeds
        self._anchorings = anchorings
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the number and the age of events that wait, and how late the next anchor is."""
        now = self._clock.now()
        waiting = GaugeMetricFamily("freezegate_siem_events_waiting", "Events that the SIEM doesn't have yet")
        age = GaugeMetricFamily(
            "freezegate_siem_age_seconds", "Age of the oldest event that the SIEM doesn't have yet; 0 if none"
        )
        overdue = GaugeMetricFamily(
            "freezegate_anchor_overdue_seconds", "Seconds by which the next anchor of the record is late"
        )
        for feed in self._feeds:
            if feed.held:
                waiting.add_metric((), feed.state.waiting)
                oldest = feed.state.oldest_at
                age.add_metric((), 0 if oldest is None else max(0, now - oldest))
        for anchoring in self._anchorings:
            if anchoring.held:
                overdue.add_metric((), anchoring.overdue(now))
        yield from (waiting, age, overdue)
