"""The engine: a policy set, ready to answer.

Policies that match a request are found once for each distinct service, environment and kind of
change, and remembered in a bounded cache. Requests that the same policies match share a timeline.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from weakref import WeakValueDictionary

from app.core.decision import Decision, Question
from app.core.errors import UnknownNameError
from app.core.instant import in_range
from app.core.policy import SERVICE_ZONE, Policy, PolicySet, Selector
from app.core.scope import ScopeTimeline
from app.core.timeline import BLOCK_BITS, BlockBudget, PolicyTimeline
from app.core.wallclock import Zone, zone

SCOPES_REMEMBERED: Final = 4096

_Key = tuple[str, str]


class Engine:
    """Answers questions about one policy set; never changes its answers, safe to use from threads."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the policies; nothing is compiled before it is asked for, see `prepare`."""
        self.policy_set = policy_set
        self._catalogue = policy_set.services or {}
        self._tags = {name: frozenset(service.tags) for name, service in self._catalogue.items()}
        self._known = {
            "environment": tuple(policy_set.environments),
            "change": tuple(policy_set.changes),
        }
        self._budget = BlockBudget()
        self._timelines: dict[tuple[int, str], PolicyTimeline] = {}
        self._shared: WeakValueDictionary[tuple[PolicyTimeline, ...], ScopeTimeline] = WeakValueDictionary()
        self._index: dict[_Key | None, list[int]] = {}
        self._numbers = {policy.id: number for number, policy in enumerate(policy_set.policies)}
        for number, policy in enumerate(policy_set.policies):
            for key in _keys(policy):
                self._index.setdefault(key, []).append(number)
        self.scope = lru_cache(maxsize=SCOPES_REMEMBERED)(self._scope)
        """The timeline of a service, environment and kind of change, as `_scope` finds it."""

    def decide(self, question: Question, at: int) -> Decision:
        """Answer a question at an instant.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        scope = self.scope(question.service, question.environment, question.change)
        return scope.decide(question, in_range(at))

    def environment(self, environment: str) -> ScopeTimeline:
        """The timeline of an environment itself: what holds for a service that nothing singles out.

        Raises:
            UnknownNameError: the policies list no such environment.
        """
        self._check_name("environment", environment)
        return self._match("", frozenset(), environment, self.policy_set.changes[0], None)

    def prepare(self, at: int) -> None:
        """Compile the block around an instant for every policy, ahead of the first question."""
        zones = {service.timezone for service in self._catalogue.values()} | {None}
        for number, policy in enumerate(self.policy_set.policies):
            for name in zones if policy.timezone == SERVICE_ZONE else (None,):
                self._timeline(number, name).edges(at >> BLOCK_BITS)

    def timeline(self, policy_id: str) -> PolicyTimeline:
        """The timeline of one policy, in the file's zone where it is read in the service's.

        Raises:
            UnknownNameError: there is no such policy.
        """
        number = self._numbers.get(policy_id)
        if number is None:
            raise UnknownNameError("policy", policy_id, ())
        return self._timeline(number, None)

    def _scope(self, service: str, environment: str, change: str) -> ScopeTimeline:
        self._check_name("environment", environment)
        self._check_name("change", change)
        known = self._catalogue.get(service)
        if known is None and self.policy_set.services is not None and self._refuses_unknown:
            raise UnknownNameError("service", service, ())
        tags = self._tags.get(service, frozenset())
        return self._match(service, tags, environment, change, known.timezone if known else None)

    def _match(
        self, service: str, tags: frozenset[str], environment: str, change: str, service_zone: str | None
    ) -> ScopeTimeline:
        matching = tuple(
            self._timeline(number, service_zone)
            for number in self._candidates(service, tags)
            if self.policy_set.policies[number].matches(service, tags, environment, change)
        )
        scope = self._shared.get(matching)
        if scope is None:
            scope = self._shared[matching] = ScopeTimeline(matching, self._budget)
        return scope

    def _check_name(self, field: str, name: str) -> None:
        known = self._known[field]
        if name not in known:
            raise UnknownNameError(field, name, known)

    @property
    def _refuses_unknown(self) -> bool:
        return self.policy_set.unknown_services == "refuse"

    def _candidates(self, service: str, tags: Iterable[str]) -> list[int]:
        """The policies that may match, in the order of the file."""
        keys: list[_Key | None] = [None, ("service", service), *(("tag", tag) for tag in tags)]
        return sorted({number for key in keys for number in self._index.get(key, ())})

    def _timeline(self, number: int, service_zone: str | None) -> PolicyTimeline:
        policy = self.policy_set.policies[number]
        read_in = self._zone(policy, service_zone)
        timeline = self._timelines.get((number, read_in.name))
        if timeline is None:
            timeline = PolicyTimeline(policy, read_in, self._budget)
            timeline = self._timelines.setdefault((number, read_in.name), timeline)
        return timeline

    def _zone(self, policy: Policy, service_zone: str | None) -> Zone:
        own = service_zone if policy.timezone == SERVICE_ZONE else policy.timezone
        return zone(own or self.policy_set.timezone)


def _keys(policy: Policy) -> set[_Key | None]:
    """What a request must have, one of them at least, for the policy to apply; None if nothing."""
    selectors = policy.applies_to
    if not selectors:
        return {None}
    return {key for selector in selectors for key in _selector_keys(selector)}


def _selector_keys(selector: Selector) -> set[_Key | None]:
    for kind, names in (("service", selector.services), ("tag", selector.tags)):
        if names is not None and not any("*" in name for name in names):
            return {(kind, name) for name in names}
    return {None}
