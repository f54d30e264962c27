"""The calendars by URL, read at the moment of the scrape; no label has a URL."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.gate.in_force import Policies

_LABELS = ("calendar", "address")


class Calendars(Collector):
    """The age of each calendar, and what is wrong with it."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Read the calendars of `policies`, by the time of `clock`."""
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the state of the calendars now."""
        now, states = self._clock.now(), self._policies.calendar_states
        age = GaugeMetricFamily(
            "freezegate_calendar_age_seconds",
            "Seconds since the server of a calendar last said that it is current; missing if it never did",
            labels=_LABELS,
        )
        loaded = GaugeMetricFamily(
            "freezegate_calendar_loaded", "0 while a calendar was never loaded", labels=_LABELS
        )
        failing = GaugeMetricFamily(
            "freezegate_calendar_failing", "1 while a calendar can't be fetched or used", labels=_LABELS
        )
        held_back = GaugeMetricFamily(
            "freezegate_calendar_held_back",
            "1 while a fetched calendar that has lost most of its events waits for a second fetch",
            labels=_LABELS,
        )
        for state in states:
            labels = (state.name, state.address)
            if (seconds := state.age(now)) is not None:
                age.add_metric(labels, seconds)
            loaded.add_metric(labels, float(state.kept is not None))
            failing.add_metric(labels, float(state.failure is not None))
            held_back.add_metric(labels, float(state.pending is not None))
        yield from (age, loaded, failing, held_back)
