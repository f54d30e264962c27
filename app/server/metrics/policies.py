"""The state of the policies and of the environments, read at the moment of the scrape."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.core.engine import Engine
from app.core.policy import Effect
from app.gate.in_force import Policies


class PolicyState(Collector):
    """The policies in force, their age, and those that veto now."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Read `policies`, by the time of `clock`."""
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the state of the policies now."""
        in_force, now = self._policies.in_force, self._clock.now()
        yield GaugeMetricFamily(
            "freezegate_policies_age_seconds",
            "Seconds since the policies in force were loaded",
            value=now - in_force.loaded_at,
        )
        yield GaugeMetricFamily(
            "freezegate_policies_stale",
            "1 while a changed policy file is refused and the set before it stays in force",
            value=float(self._policies.last_error is not None),
        )
        yield self._broken()
        yield GaugeMetricFamily(
            "freezegate_policies_last_failure_timestamp_seconds",
            "When a changed policy file was refused last, since the start of the gate; 0 if none was",
            value=self._policies.failed_at or 0,
        )
        removed = GaugeMetricFamily(
            "freezegate_policies_removed",
            "Policies and self-tests that a change of the files removed less than a day ago, and calendars "
            "that have lost most of their events",
            labels=["kind"],
        )
        counts = Counter(each.kind for each in in_force.removed_lately(now))
        for kind in ("policy", "test", "calendar"):
            removed.add_metric([kind], counts[kind])
        yield removed
        info = GaugeMetricFamily(
            "freezegate_policies_info", "The policies in force, by their revision", labels=["revision"]
        )
        info.add_metric([in_force.revision], 1)
        yield info
        yield self._vetoing(in_force.engine, now)

    def _broken(self) -> Metric:
        family = GaugeMetricFamily(
            "freezegate_policies_broken_file",
            "1 for each policy file with errors, while they hold back the changes of all files, and its team",
            labels=["file", "team"],
        )
        failure = self._policies.last_error
        if failure is not None:
            teams = {each.name: each.team for each in failure.owners}
            for name in dict.fromkeys(problem.file for problem in failure.problems):
                family.add_metric([name, teams.get(name, "")], 1)
        return family

    def _vetoing(self, engine: Engine, now: int) -> Metric:
        family = GaugeMetricFamily(
            "freezegate_policy_vetoing",
            "1 while a policy vetoes what it applies to, in any zone that it is read in; "
            "policies that only warn are left out",
            labels=["policy"],
        )
        for policy in engine.policy_set.policies:
            if policy.effect is not Effect.WARN:
                vetoes = any(line.stretch(now) for line in engine.timelines(policy.id))
                family.add_metric([policy.id], float(vetoes))
        return family


class EnvironmentState(Collector):
    """The state of each environment, for a service that no rule singles out."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Read `policies`, by the time of `clock`."""
        self._policies = policies
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the state of the environments now, and the time of the next change."""
        now = self._clock.now()
        opened = GaugeMetricFamily(
            "freezegate_environment_open", "1 while deploys are open, 0 while frozen", labels=["environment"]
        )
        change = GaugeMetricFamily(
            "freezegate_environment_next_change_seconds",
            "Seconds until it opens or freezes; missing where that is more than two years away",
            labels=["environment"],
        )
        engine = self._policies.in_force.engine
        for name in engine.policy_set.environments:
            decision = engine.decide_environment(name, now)
            opened.add_metric([name], float(decision.allowed))
            if decision.flips_at is not None:
                change.add_metric([name], decision.flips_at - now)
        yield opened
        yield change
