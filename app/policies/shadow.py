"""Policies that another of the same effect makes idle: it reaches as far, holds as long, is as strict."""

from collections.abc import Iterator

from app.core.instant import LATEST, LOOK_AHEAD
from app.core.policy import SERVICE_ZONE, Effect, Policy, PolicySet
from app.core.timeline import BlockBudget, PolicyTimeline
from app.core.wallclock import Zone, zone
from app.policies.reach import Reach, literal_services


class Shadows:
    """Looks for idle policies from an instant on, as far as the look-ahead reaches."""

    def __init__(self, policy_set: PolicySet, reach: Reach, now: int) -> None:
        """Compare the policies of a set; nothing is compiled before `found`."""
        self._set = policy_set
        self._reach = reach
        self._now = now
        self._until = min(now + LOOK_AHEAD, LATEST)
        self._budget = BlockBudget()
        self._timelines: dict[tuple[int, str], PolicyTimeline] = {}
        self._naming: dict[str | None, list[int]] = {}
        """The policies that name a service, by its name, and those that may match any, under None."""
        for number, policy in enumerate(policy_set.policies):
            names = literal_services(policy)
            for name in [None] if names is None else names:
                self._naming.setdefault(name, []).append(number)

    def found(self) -> Iterator[tuple[int, int]]:
        """The numbers of each idle policy and of the first that makes it so.

        Of two that make each other idle, the later one is.
        """
        for number, policy in enumerate(self._set.policies):
            if not self._reach.matches_nothing(policy):
                by = next(self._shadowing(number, policy), None)
                if by is not None:
                    yield number, by

    def _shadowing(self, number: int, policy: Policy) -> Iterator[int]:
        # Cheapest first: most pairs differ in effect, or at the first instant at which the one holds.
        first = next(self._timeline(number, policy, None).stretches(self._now, self._until), None)
        if first is None:
            return
        at = max(first.start or self._now, self._now)
        for other_number in self._candidates(policy):
            other = self._set.policies[other_number]
            if (
                other_number != number
                and _at_least_as_strict(other, policy)
                and self._timeline(other_number, other, None).stretch(at) is not None
                and self._covers(other_number, number)
                and (other_number < number or not self._covers(number, other_number))
            ):
                yield other_number

    def _candidates(self, policy: Policy) -> list[int]:
        """The policies that match a service which this one matches, and any that may match all it does."""
        service = self._reach.some_service(policy)
        named = [] if service is None else self._naming.get(service, [])
        return sorted({*self._naming.get(None, []), *named})

    def _covers(self, outer: int, inner: int) -> bool:
        """Whether one policy holds wherever and whenever the other does, and is as strict."""
        policies = self._set.policies
        return (
            _at_least_as_strict(policies[outer], policies[inner])
            and self._reach.within(policies[inner], policies[outer])
            and all(self._holds_through(outer, inner, name) for name in self._service_zones(outer, inner))
        )

    def _service_zones(self, *numbers: int) -> list[str | None]:
        """The zones of services that make a difference to any of these policies; None for having none."""
        if all(self._set.policies[number].timezone != SERVICE_ZONE for number in numbers):
            return [None]
        services = (self._set.services or {}).values()
        return [None, *sorted({service.timezone for service in services if service.timezone})]

    def _holds_through(self, outer: int, inner: int, service_zone: str | None) -> bool:
        """Whether each stretch of the inner policy lies within one of the outer one."""
        policies = self._set.policies
        covering = self._timeline(outer, policies[outer], service_zone)
        covered = self._timeline(inner, policies[inner], service_zone)
        for stretch in covered.stretches(self._now, self._until):
            around = covering.stretch(max(stretch.start or self._now, self._now))
            end = self._until if stretch.end is None else min(stretch.end, self._until)
            if around is None or (around.end is not None and around.end < end):
                return False
        return True

    def _timeline(self, number: int, policy: Policy, service_zone: str | None) -> PolicyTimeline:
        read_in = zone_of(policy, service_zone, self._set)
        key = (number, read_in.name)
        if key not in self._timelines:
            self._timelines[key] = PolicyTimeline(policy, read_in, self._budget)
        return self._timelines[key]


def zone_of(policy: Policy, service_zone: str | None, policy_set: PolicySet) -> Zone:
    """The zone in which a policy is read for a service of some zone, or of none."""
    own = service_zone if policy.timezone == SERVICE_ZONE else policy.timezone
    return zone(own or policy_set.timezone)


def zones_of(policy: Policy, policy_set: PolicySet) -> list[Zone]:
    """All zones in which a policy is read."""
    services = (policy_set.services or {}).values()
    named = {service.timezone for service in services} if policy.timezone == SERVICE_ZONE else set()
    return [zone_of(policy, name, policy_set) for name in [None, *sorted(filter(None, named))]]


def _at_least_as_strict(outer: Policy, inner: Policy) -> bool:
    """Whether what lifts the outer policy lifts the inner one, too."""
    if outer.effect is not inner.effect:
        return False
    warns = inner.effect is Effect.WARN
    return warns or inner.override == "token" or outer.override in ("never", inner.override)
