"""The engine: a policy set and the ad-hoc freezes beside it, ready to answer.

What matches a request is found once for each distinct service, environment and kind of change, and
remembered in a bounded cache. Requests that the same rules match share a timeline. Freezes come and
go: an engine with others shares all that was compiled of the policies.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from app.core.candidates import Candidates
from app.core.decision import Decision, Question
from app.core.errors import UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import in_range
from app.core.policy import SERVICE_ZONE, Policy, PolicySet, Service
from app.core.scope import ScopeTimeline
from app.core.timeline import BLOCK_BITS, BlockBudget, FreezeTimeline, PolicyTimeline, RuleTimeline
from app.core.wallclock import Zone, zone

SCOPES_REMEMBERED: Final = 4096


class Engine:
    """Answers questions about one policy set; never changes its answers, safe to use from threads."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the policies; nothing is compiled before it is asked for, see `prepare`."""
        self._use(_Compiled(policy_set), ())

    def with_freezes(self, freezes: Sequence[Freeze]) -> "Engine":
        """An engine of the same policies, with these ad-hoc freezes and no others.

        Those that were lifted before they started are left out: no question can run into them.
        """
        other = object.__new__(Engine)
        other._use(self._compiled, freezes)
        return other

    def _use(self, compiled: "_Compiled", freezes: Sequence[Freeze]) -> None:
        self.policy_set = compiled.policy_set
        self.freezes = tuple(freeze for freeze in freezes if not freeze.never_holds)
        self._compiled = compiled
        home = zone(self.policy_set.timezone)
        self._freeze_timelines = [FreezeTimeline(freeze, home) for freeze in self.freezes]
        self._shared: WeakValueDictionary[tuple[RuleTimeline, ...], ScopeTimeline] = WeakValueDictionary()
        self._scopes: dict[tuple[str, str, str], ScopeTimeline] = {}
        self._environments: dict[tuple[str, str], ScopeTimeline] = {}
        self._remembering = Lock()

    def decide(self, question: Question, at: int) -> Decision:
        """Answer a question at an instant.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        scope = self.scope(question.service, question.environment, question.change)
        return scope.decide(question, in_range(at))

    def is_prepared(self, question: Question, at: int) -> bool:
        """Whether a question can be answered from what is compiled; else it may take a while."""
        scope = self._scopes.get((question.service, question.environment, question.change))
        return scope is not None and scope.is_prepared(question, at)

    def scope(self, service: str, environment: str, change: str) -> ScopeTimeline:
        """The timeline of a service, environment and kind of change.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
        """
        key = (service, environment, change)
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scope(service, environment, change)
            with self._remembering:
                if len(self._scopes) >= SCOPES_REMEMBERED:
                    del self._scopes[next(iter(self._scopes))]
                self._scopes[key] = scope
        return scope

    def environment(self, environment: str, change: str | None = None) -> ScopeTimeline:
        """The timeline of an environment itself: what holds for a service that nothing singles out.

        Raises:
            UnknownNameError: the policies list no such environment or kind of change.
        """
        change = change or self.policy_set.usual_change
        scope = self._environments.get((environment, change))
        if scope is None:
            self._check_name("environment", environment, self.policy_set.environments)
            self._check_name("change", change, self.policy_set.changes)
            scope = self._match("", frozenset(), environment, change, None)
            # Looked at every second; what nobody holds would be compiled anew each time.
            self._environments[environment, change] = scope
        return scope

    def decide_environment(self, environment: str, at: int) -> Decision:
        """Answer for a service that nothing singles out.

        Raises:
            UnknownNameError: the policies list no such environment.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        question = Question("", environment, self.policy_set.usual_change)
        return self.environment(environment).decide(question, in_range(at))

    @cached_property
    def without_freezes(self) -> "Engine":
        """An engine of the policies alone."""
        return self.with_freezes(())

    def freezes_for(self, question: Question, at: int) -> list[Freeze]:
        """The freezes that a question may run into at an instant or later."""
        known = (self.policy_set.services or {}).get(question.service)
        tags = frozenset(known.tags) if known else frozenset()
        return [
            freeze
            for freeze in self.freezes
            if (freeze.until is None or freeze.until > at)
            and freeze.matches(question.service, tags, question.environment, question.change)
        ]

    def prepare(self, at: int) -> None:
        """Compile the block around an instant for every policy, ahead of the first question."""
        self._compiled.prepare(at)

    def timeline(self, policy_id: str) -> PolicyTimeline:
        """The timeline of one policy, in the file's zone where it is read in the service's.

        Raises:
            UnknownNameError: there is no such policy.
        """
        return self._compiled.timeline_of(policy_id)

    def timelines(self, policy_id: str) -> Sequence[PolicyTimeline]:
        """The timelines of one policy: one for each zone in which it is read for any service.

        Raises:
            UnknownNameError: there is no such policy.
        """
        return self._compiled.timelines_of(policy_id)

    def _scope(self, service: str, environment: str, change: str) -> ScopeTimeline:
        self._check_name("environment", environment, self.policy_set.environments)
        self._check_name("change", change, self.policy_set.changes)
        catalogue = self.policy_set.services
        known = (catalogue or {}).get(service)
        if known is None and catalogue is not None and self.policy_set.unknown_services == "refuse":
            raise UnknownNameError("service", service, tuple(catalogue))
        tags = frozenset(known.tags) if known else frozenset()
        return self._match(service, tags, environment, change, known.timezone if known else None)

    def _match(
        self, service: str, tags: frozenset[str], environment: str, change: str, service_zone: str | None
    ) -> ScopeTimeline:
        request = (service, tags, environment, change)
        # Freezes first: whoever is stopped by an incident should read that before the calendar.
        freezes = (line for line in self._freeze_timelines if line.rule.matches(*request))
        matching: tuple[RuleTimeline, ...] = (*freezes, *self._compiled.matching(*request, service_zone))
        scope = self._shared.get(matching)
        if scope is None:
            scope = self._shared[matching] = ScopeTimeline(matching, self._compiled.budget)
        return scope

    def _check_name(self, field: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise UnknownNameError(field, name, tuple(known))


class _Compiled:
    """The policies of a set, found by what they apply to, with their timelines."""

    def __init__(self, policy_set: PolicySet) -> None:
        self.policy_set = policy_set
        self.budget = BlockBudget()
        self._timelines: dict[tuple[int, str], PolicyTimeline] = {}
        self._service_zones: dict[int, Sequence[str | None]] = {}
        self._candidates = Candidates(policy_set.policies)
        self._numbers = {policy.id: number for number, policy in enumerate(policy_set.policies)}

    def prepare(self, at: int) -> None:
        zones = {service.timezone for service in (self.policy_set.services or {}).values()} | {None}
        for number, policy in enumerate(self.policy_set.policies):
            for name in zones if policy.timezone == SERVICE_ZONE else (None,):
                self._timeline(number, name).edges(at >> BLOCK_BITS)

    def timeline_of(self, policy_id: str) -> PolicyTimeline:
        return self._timeline(self._number(policy_id), None)

    def timelines_of(self, policy_id: str) -> Sequence[PolicyTimeline]:
        number = self._number(policy_id)
        names = self._service_zones.get(number)
        if names is None:
            names = self._service_zones[number] = self._find_service_zones(self.policy_set.policies[number])
        return [self._timeline(number, name) for name in names]

    def _number(self, policy_id: str) -> int:
        number = self._numbers.get(policy_id)
        if number is None:
            raise UnknownNameError("policy", policy_id, ())
        return number

    def _find_service_zones(self, policy: Policy) -> Sequence[str | None]:
        """The zones of the services that a policy applies to; None: the file's."""
        if policy.timezone != SERVICE_ZONE:
            return (None,)
        policy_set = self.policy_set
        # "": a service that nothing singles out.
        services: dict[str, Service | None] = {"": None, **(policy_set.services or {})}
        if policy_set.services is not None and policy_set.unknown_services == "refuse":
            del services[""]
        applying = {
            self._zone(policy, known.timezone if known else None).name
            for service, known in services.items()
            if any(
                policy.matches(service, frozenset(known.tags if known else ()), environment, change)
                for environment in policy_set.environments
                for change in policy_set.changes
            )
        }
        return sorted(applying) or (None,)

    def matching(
        self, service: str, tags: frozenset[str], environment: str, change: str, service_zone: str | None
    ) -> Iterable[PolicyTimeline]:
        """The timelines of the policies that apply to a request, in the order of the file."""
        for number in self._candidates.of(service, tags):
            if self.policy_set.policies[number].matches(service, tags, environment, change):
                yield self._timeline(number, service_zone)

    def _timeline(self, number: int, service_zone: str | None) -> PolicyTimeline:
        policy = self.policy_set.policies[number]
        read_in = self._zone(policy, service_zone)
        timeline = self._timelines.get((number, read_in.name))
        if timeline is None:
            timeline = PolicyTimeline(policy, read_in, self.budget)
            timeline = self._timelines.setdefault((number, read_in.name), timeline)
        return timeline

    def _zone(self, policy: Policy, service_zone: str | None) -> Zone:
        own = service_zone if policy.timezone == SERVICE_ZONE else policy.timezone
        return zone(own or self.policy_set.timezone)
