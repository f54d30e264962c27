"""A policy set, indexed by request, with the timelines of its policies: built once and shared.

The engine, insights and lint use the same one. Timelines compile a block on first use.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Final

from app.core.candidates import Candidates
from app.core.errors import UnknownNameError
from app.core.policy import SERVICE_ZONE, Policy, PolicySet
from app.core.service_groups import Catalogue, split_by_policies
from app.core.timeline import BLOCK_BITS, BlockBudget, PolicyTimeline

_UNLISTED: Final = ""
"""Stands for every service outside the catalogue: no service is called that."""


class CompiledPolicies:
    """The policies of a set by number, which is their position in the file; safe to use from threads."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the policies; nothing is compiled yet, see `prepare`."""
        self.policy_set = policy_set
        self.candidates = Candidates(policy_set.policies)
        self.budget = BlockBudget()
        self._timelines: dict[tuple[int, str], PolicyTimeline] = {}
        self._zones_in_use: dict[int, Sequence[str]] = {}
        self._numbers = {policy.id: number for number, policy in enumerate(policy_set.policies)}

    @cached_property
    def catalogue(self) -> Catalogue:
        """The services of the set."""
        return Catalogue(self.policy_set)

    @cached_property
    def alike(self) -> Sequence[Sequence[str]]:
        """The catalogued services, in groups that no policy tells apart."""
        return split_by_policies(self.catalogue, self.policy_set)

    def prepare(self, at: int) -> None:
        """Compile the block around an instant for every policy, in every zone it may be read in."""
        home, zones = (self.policy_set.timezone,), self.policy_set.service_zones
        for number, policy in enumerate(self.policy_set.policies):
            for name in zones if policy.timezone == SERVICE_ZONE else home:
                self.timeline(number, name).edges(at >> BLOCK_BITS)

    def number_of(self, policy_id: str) -> int:
        """Return the number of a policy.

        Raises:
            UnknownNameError: there is no such policy.
        """
        number = self._numbers.get(policy_id)
        if number is None:
            raise UnknownNameError("policy", policy_id, ())
        return number

    def unlisted(
        self, service: str, environment: str, change: str
    ) -> tuple[str, str, Collection[str]] | None:
        """Return the first name of a request that isn't listed: its field, the name, and those listed."""
        policy_set = self.policy_set
        if environment not in policy_set.environments:
            return "environment", environment, policy_set.environments
        if change not in policy_set.changes:
            return "change", change, policy_set.changes
        catalogue = policy_set.services or {}
        if policy_set.refuses_unknown and service not in catalogue:
            return "service", service, catalogue.keys()
        return None

    def matching(self, service: str, environment: str, change: str) -> Iterator[int]:
        """Yield the numbers of the policies that apply to a request, in the order of the file."""
        tags = self.policy_set.tags_of(service)
        for number in self.candidates.of(service, tags):
            if self.policy_set.policies[number].matches(service, tags, environment, change):
                yield number

    def timeline(self, number: int, service_zone: str) -> PolicyTimeline:
        """Return the timeline of a policy, for services in a zone."""
        policy = self.policy_set.policies[number]
        read_in = self.policy_set.zone_of(policy, service_zone)
        timeline = self._timelines.get((number, read_in.name))
        if timeline is None:
            timeline = PolicyTimeline(policy, read_in, self.budget)
            timeline = self._timelines.setdefault((number, read_in.name), timeline)
        return timeline

    def timelines_in_use(self, number: int) -> list[PolicyTimeline]:
        """Return the timelines of a policy, one for each zone that a service it applies to is in."""
        names = self._zones_in_use.get(number)
        if names is None:
            names = self._zones_in_use[number] = self._find_zones_in_use(self.policy_set.policies[number])
        return [self.timeline(number, name) for name in names]

    def _find_zones_in_use(self, policy: Policy) -> Sequence[str]:
        """Return the zones of the services that a policy applies to; the set's if there are none."""
        policy_set = self.policy_set
        if policy.timezone != SERVICE_ZONE:
            return (policy_set.timezone,)
        services = [*(policy_set.services or ()), *(() if policy_set.refuses_unknown else (_UNLISTED,))]
        applying = filter(lambda service: self._may_apply(policy, service), services)
        return sorted(set(map(policy_set.service_zone, applying))) or (policy_set.timezone,)

    def _may_apply(self, policy: Policy, service: str) -> bool:
        """Return whether a policy applies to a service in any environment and kind of change."""
        tags = self.policy_set.tags_of(service)
        return any(
            policy.matches(service, tags, environment, change)
            for environment in self.policy_set.environments
            for change in self.policy_set.changes
        )
