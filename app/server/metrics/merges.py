"""The checks of merges: how many pull requests and merge groups may be merged, and how many are stopped."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.gate.merges import Merges


class MergeHeads(Collector):
    """The heads of each branch, as the last sweep of this replica saw them."""

    def __init__(self, merges: Merges) -> None:
        """Read the counts of `merges`."""
        self._merges = merges

    def collect(self) -> Iterable[Metric]:
        """Yield the number of heads by environment and conclusion."""
        family = GaugeMetricFamily(
            "freezegate_merge_heads",
            "Open pull requests and merge groups by the conclusion of their check, on the sweeping replica",
            labels=["environment", "conclusion"],
        )
        for environment, count in self._merges.heads.items():
            family.add_metric([environment, "success"], count.passing)
            family.add_metric([environment, "failure"], count.stopped)
        yield family
