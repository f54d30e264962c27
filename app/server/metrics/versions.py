"""The versions of freezegate and of the data behind its answers: replicas should agree."""

import platform
from collections.abc import Iterable

from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.gate.versions import holidays_version, tzdata_version


class Versions(Collector):
    """Versions as labels of series that are always 1."""

    def collect(self) -> Iterable[Metric]:
        """Yield the versions of this process."""
        build = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("freezegate_build", "What runs here", value=build)
        yield InfoMetricFamily(
            "freezegate_tzdata", "The time zone database", value={"version": tzdata_version()}
        )
        yield InfoMetricFamily(
            "freezegate_holidays", "The holiday calendars", value={"version": holidays_version()}
        )
