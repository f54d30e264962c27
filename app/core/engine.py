"""The engine: decides requests by a policy set and its ad-hoc freezes.

The rules that match a request are found once per service, environment and kind of change, and kept in a
bounded cache. Requests that the same rules match share a timeline. An engine with other freezes shares the
compiled policies.
"""

from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from app.core.compiled import CompiledPolicies
from app.core.decision import Decision, Question, each_rule_once
from app.core.errors import UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import in_range
from app.core.policy import PolicySet
from app.core.scope import ScopeTimeline
from app.core.timeline import FreezeTimeline, PolicyTimeline, RuleTimeline

SCOPES_REMEMBERED: Final = 4096

JOINT_SCOPES_REMEMBERED: Final = 256
"""Scopes of several services; the names of one may take 13 kB."""


class Engine:
    """Decide questions by one policy set. Immutable in its answers, and safe to use from threads."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the policies; each is compiled on first use, see `prepare`."""
        self._use(CompiledPolicies(policy_set), ())

    def with_freezes(self, freezes: Sequence[Freeze]) -> "Engine":
        """Return an engine with the same policies and these ad-hoc freezes instead of its own.

        Freezes lifted before they started are left out: they can't affect a decision.
        """
        other = object.__new__(Engine)
        other._use(self.compiled, freezes)
        return other

    def _use(self, compiled: CompiledPolicies, freezes: Sequence[Freeze]) -> None:
        self.policy_set = compiled.policy_set
        self.freezes = tuple(freeze for freeze in freezes if not freeze.never_holds)
        self.compiled = compiled
        home = self.policy_set.home
        self._freeze_timelines = [FreezeTimeline(freeze, home) for freeze in self.freezes]
        self._shared: WeakValueDictionary[tuple[RuleTimeline, ...], ScopeTimeline] = WeakValueDictionary()
        self._scopes: dict[tuple[str, str, str], ScopeTimeline] = {}
        self._joint_scopes: dict[tuple[tuple[str, ...], str, str], ScopeTimeline] = {}
        self._environments: dict[tuple[str, str], ScopeTimeline] = {}
        self._remembering = Lock()

    def decide(self, question: Question, at: int) -> Decision:
        """Decide a question at an instant.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        if question.services:
            return self._decide_all(question, in_range(at))
        scope = self.scope(question.service, question.environment, question.change)
        return scope.decide(question, in_range(at))

    def _decide_all(self, question: Question, at: int) -> Decision:
        """Decide for several services together, and for each of them alone."""
        together = each_rule_once(self.scope_of(question).decide(question, at))
        return together._replace(
            parts=tuple(self.decide(question.of(service), at) for service in question.services)
        )

    def is_prepared(self, question: Question, at: int) -> bool:
        """Return whether all that a question needs is compiled; if not, deciding it may take a while."""
        if question.services:
            key = (question.services, question.environment, question.change)
            joint = self._joint_scopes.get(key)
            parts = map(question.of, question.services)
            return (
                joint is not None
                and joint.is_prepared(question, at)
                and all(self.is_prepared(part, at) for part in parts)
            )
        scope = self._scopes.get((question.service, question.environment, question.change))
        return scope is not None and scope.is_prepared(question, at)

    def scope_of(self, question: Question) -> ScopeTimeline:
        """Return the timeline of a question; of a deploy of several services, the one of all their rules.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
        """
        if not question.services:
            return self.scope(question.service, question.environment, question.change)
        key = (question.services, question.environment, question.change)
        joint = self._joint_scopes.get(key)
        if joint is None:
            joint = self._combined(self._lines_of_all(question))
            with self._remembering:
                if len(self._joint_scopes) >= JOINT_SCOPES_REMEMBERED:
                    del self._joint_scopes[next(iter(self._joint_scopes))]
                self._joint_scopes[key] = joint
        return joint

    def scope(self, service: str, environment: str, change: str) -> ScopeTimeline:
        """Return the timeline of a service, environment and kind of change.

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
        """Return the timeline of an environment itself: of a service without tags or policies that name it.

        Raises:
            UnknownNameError: the policies list no such environment or kind of change.
        """
        change = change or self.policy_set.usual_change
        scope = self._environments.get((environment, change))
        if scope is None:
            self._check_name("environment", environment, self.policy_set.environments)
            self._check_name("change", change, self.policy_set.changes)
            scope = self._match("", environment, change)
            # Read every second; without a reference here it would be compiled anew each time.
            self._environments[environment, change] = scope
        return scope

    def decide_environment(self, environment: str, at: int) -> Decision:
        """Decide for a service without tags or policies that name it.

        Raises:
            UnknownNameError: the policies list no such environment.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        question = Question("", environment, self.policy_set.usual_change)
        return self.environment(environment).decide(question, in_range(at))

    def stopping(self, question: Question) -> ScopeTimeline:
        """Return the timeline of the rules that match a question and stop running deploys.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
        """
        scope = self.scope_of(question)
        return self._combined(tuple(line for line in scope.vetoers if line.rule.running == "stop"))

    @cached_property
    def without_freezes(self) -> "Engine":
        """An engine of the policies alone."""
        return self.with_freezes(())

    def freezes_for(self, question: Question, at: int) -> list[Freeze]:
        """Return the freezes that may affect a question at an instant or later."""
        of_service = [(service, self.policy_set.tags_of(service)) for service in question.names]
        return [
            freeze
            for freeze in self.freezes
            if (freeze.until is None or freeze.until > at)
            and any(freeze.matches(*each, question.environment, question.change) for each in of_service)
        ]

    def prepare(self, at: int) -> None:
        """Compile the block around an instant for every policy, ahead of the first question."""
        self.compiled.prepare(at)

    def timeline(self, policy_id: str) -> PolicyTimeline:
        """Return the timeline of one policy; with `timezone: service`, as read in the set's zone.

        Raises:
            UnknownNameError: there is no such policy.
        """
        return self.compiled.timeline(self.compiled.number_of(policy_id), self.policy_set.timezone)

    def timelines(self, policy_id: str) -> Sequence[PolicyTimeline]:
        """Return the timelines of one policy: one for each zone that a service it applies to is in.

        Raises:
            UnknownNameError: there is no such policy.
        """
        return self.compiled.timelines_in_use(self.compiled.number_of(policy_id))

    def _scope(self, service: str, environment: str, change: str) -> ScopeTimeline:
        unlisted = self.compiled.unlisted(service, environment, change)
        if unlisted is not None:
            field, name, known = unlisted
            raise UnknownNameError(field, name, tuple(known))
        return self._match(service, environment, change)

    def _match(self, service: str, environment: str, change: str) -> ScopeTimeline:
        compiled, request = self.compiled, (service, environment, change)
        tags, service_zone = self.policy_set.tags_of(service), self.policy_set.service_zone(service)
        # Freezes first: in an incident, callers should read about that before the calendar.
        matching: tuple[RuleTimeline, ...] = (
            *(
                line
                for line in self._freeze_timelines
                if line.rule.matches(service, tags, environment, change)
            ),
            *(compiled.timeline(number, service_zone) for number in compiled.matching(*request)),
        )
        return self._combined(matching)

    def _lines_of_all(self, question: Question) -> tuple[RuleTimeline, ...]:
        """Return the rules of all services of a question, each once in each zone; freezes first, as above."""
        scopes = (self.scope(service, question.environment, question.change) for service in question.services)
        lines = dict.fromkeys(line for scope in scopes for line in scope.lines)
        return tuple(sorted(lines, key=lambda line: line.rule.kind != "freeze"))

    def _combined(self, lines: tuple[RuleTimeline, ...]) -> ScopeTimeline:
        """Return the combined timeline of some rules; equal ones are shared."""
        scope = self._shared.get(lines)
        if scope is None:
            scope = self._shared[lines] = ScopeTimeline(lines, self.compiled.budget)
        return scope

    def _check_name(self, field: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise UnknownNameError(field, name, tuple(known))
