"""The engine: decides requests by a policy set and its ad-hoc freezes.

The rules that match a request are found once per service, environment and kind of change, and kept in a
bounded cache. Requests that the same rules match share a timeline. An engine with other freezes shares the
compiled policies, and all that no freeze matches.
"""

from collections.abc import Collection, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, Final
from weakref import WeakValueDictionary

from app.core.compiled import CompiledPolicies
from app.core.decision import Decision, DecisionPart, Question, each_rule_once
from app.core.environment import EnvironmentKind
from app.core.errors import TooManyRulesError, UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import in_range
from app.core.policy import PolicySet
from app.core.scope import ScopeTimeline
from app.core.service_groups import ServiceGroup, split_by_freezes
from app.core.timeline import FreezeTimeline, PolicyTimeline, RuleTimeline

SCOPES_REMEMBERED: Final = 4096

ANSWERS_REMEMBERED: Final = 4096
"""Questions whose last decision is kept; asked again within the same segment, it takes half a microsecond."""

JOINT_SCOPES_REMEMBERED: Final = 256
"""Scopes of several services; the names of one may take 13 kB."""

STANDING_REMEMBERED: Final = 4
"""Engines without the freezes that are over: that of now, and some for past instants."""

MOST_RULES: Final = 1_000
"""Rules that match several services, each counted in each zone. Finding when they all open takes a second."""


_new_decision: Final = tuple.__new__
"""Makes a decision of its fields; the constructor by name takes three times as long."""


class Engine:
    """Decide questions by one policy set. Immutable in its answers, and safe to use from threads."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the policies; each is compiled on first use, see `prepare`."""
        self._use(CompiledPolicies(policy_set), (), self)

    def with_freezes(self, freezes: Sequence[Freeze]) -> "Engine":
        """Return an engine with the same policies and these ad-hoc freezes instead of its own.

        Freezes lifted before they started are left out: they can't affect a decision.
        """
        other = object.__new__(Engine)
        other._use(self.compiled, freezes, self._policies_alone)
        return other

    def _use(self, compiled: CompiledPolicies, freezes: Sequence[Freeze], policies_alone: "Engine") -> None:
        self.policy_set = compiled.policy_set
        self._policies_alone = policies_alone
        self.freezes = tuple(freeze for freeze in freezes if not freeze.never_holds)
        self.compiled = compiled
        home = self.policy_set.home
        self._merged_into = frozenset(
            name for name, each in self.policy_set.environments.items() if each.kind is EnvironmentKind.MERGE
        )
        self._freeze_timelines = [FreezeTimeline(freeze, home) for freeze in self.freezes]
        self._shared: WeakValueDictionary[tuple[RuleTimeline, ...], ScopeTimeline] = WeakValueDictionary()
        self._scopes: dict[tuple[str, str, str], ScopeTimeline] = {}
        self._joint_scopes: dict[tuple[tuple[str, ...], str, str], ScopeTimeline] = {}
        self._environments: dict[tuple[str, str], ScopeTimeline] = {}
        self._answers: dict[Question, tuple[int, int, tuple[Any, ...]]] = {}
        self._groups: dict[str, Sequence[ServiceGroup]] = {}
        self._standing: dict[int, Engine] = {}
        self._remembering = Lock()

    def decide(self, question: Question, at: int) -> Decision:
        """Decide a question at an instant.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            TooManyRulesError: too many rules match several services, see `MOST_RULES`.
            OutOfRangeError: the instant lies outside the years 2000 to 2100.
        """
        known = self._answers.get(question)
        if known is not None and known[0] <= at < known[1]:
            # The fields after the instant, which is all that differs.
            return _new_decision(Decision, (question, at, *known[2]))
        if question.services:
            return self._decide_all(question, in_range(at))
        scope = self.scope(question.service, question.environment, question.change)
        decision = self.decide_in(scope, question, in_range(at))
        if question.duration <= 1:
            self._remember(question, decision, scope)
        return decision

    def remembered(self, question: Question, at: int) -> Decision | None:
        """Return the decision, if the one on the same question that was last made holds at an instant."""
        known = self._answers.get(question)
        if known is None or not known[0] <= at < known[1]:
            return None
        return _new_decision(Decision, (question, at, *known[2]))

    def _remember(self, question: Question, decision: Decision, scope: ScopeTimeline) -> None:
        """Keep a decision for as long as it differs by the instant only."""
        start, end = scope.unchanged(decision.at)
        with self._remembering:
            if len(self._answers) >= ANSWERS_REMEMBERED and question not in self._answers:
                del self._answers[next(iter(self._answers))]
            self._answers[question] = start, end, decision[2:]

    def decide_in(self, scope: ScopeTimeline, question: Question, at: int) -> Decision:
        """Decide a question by its timeline, if that is known already."""
        decision = scope.decide(question, at)
        if question.environment in self._merged_into:
            return decision._replace(kind=EnvironmentKind.MERGE)
        return decision

    def _decide_all(self, question: Question, at: int) -> Decision:
        """Decide for several services together, and say which of them is vetoed by what.

        The search for the instant at which the answer flips is made once, for all of them.
        """
        joint = self.scope_of(question)
        met = joint.met(at, at + question.duration)
        decided: dict[ScopeTimeline, DecisionPart] = {}
        parts: list[DecisionPart] = []
        for service in question.services:
            asked = question.of(service)
            scope = self.scope_of(asked)
            part = decided.get(scope)
            if part is None:
                part = decided[scope] = DecisionPart.of(
                    asked, [met[line] for line in scope.lines if line in met]
                )
            parts.append(part._replace(question=asked))
        return each_rule_once(self.decide_in(joint, question, at))._replace(parts=tuple(parts))

    def is_prepared(self, question: Question, at: int) -> bool:
        """Return whether all that a question needs is compiled; if not, deciding it may take a while."""
        if not question.services:
            scope = self._scopes.get((question.service, question.environment, question.change))
            return scope is not None and scope.is_prepared(question, at)
        place = question.environment, question.change
        joint = self._joint_scopes.get((question.services, *place))
        known = all((service, *place) in self._scopes for service in question.services)
        return joint is not None and known and joint.is_prepared(question, at)

    def scope_of(self, question: Question) -> ScopeTimeline:
        """Return the timeline of a question; of a deploy of several services, the one of all their rules.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            TooManyRulesError: too many rules match several services, see `MOST_RULES`.
        """
        if not question.services:
            return self.scope(question.service, question.environment, question.change)
        key = (question.services, question.environment, question.change)
        joint = self._joint_scopes.get(key)
        if joint is None:
            joint = self._joint_scope(question)
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
        return self.decide_in(self.environment(environment), question, in_range(at))

    def service_groups(self, environment: str) -> Sequence[ServiceGroup]:
        """Return the catalogued services by the rules that match their usual changes; found once.

        Services that the same rules match are one group, whatever their names.

        Raises:
            UnknownNameError: the policies list no such environment.
        """
        groups = self._groups.get(environment)
        if groups is None:
            together: dict[ScopeTimeline, list[str]] = {}
            for services in self.alike:
                scope = self.scope(services[0], environment, self.policy_set.usual_change)
                together.setdefault(scope, []).extend(services)
            in_order = self.compiled.catalogue.in_order
            groups = [ServiceGroup(scope, in_order(services)) for scope, services in together.items()]
            self._groups[environment] = groups
        return groups

    @cached_property
    def alike(self) -> Sequence[Sequence[str]]:
        """The catalogued services, in groups that no rule tells apart."""
        return split_by_freezes(self.compiled.alike, self.compiled.catalogue, self.freezes)

    def standing(self, at: int) -> "Engine":
        """Return an engine without the freezes that were over by an instant.

        From that instant on it decides the same, and does not look at a year of freezes to find the rules
        of a service.
        """
        freezes = [each for each in self.freezes if each.until is None or each.until > at]
        if len(freezes) == len(self.freezes):
            return self
        # Freezes only ever end, so their number says which ones they are.
        engine = self._standing.get(len(freezes))
        if engine is None:
            engine = self.with_freezes(freezes)
            with self._remembering:
                if len(self._standing) >= STANDING_REMEMBERED:
                    del self._standing[next(iter(self._standing))]
                self._standing[len(freezes)] = engine
        return engine

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
        tags = self.policy_set.tags_of(service)
        freezes = tuple(
            line for line in self._freeze_timelines if line.rule.matches(service, tags, environment, change)
        )
        if self is not self._policies_alone:
            alone = self._policies_alone
            by_policies = (
                alone.scope(service, environment, change)
                if service
                else alone.environment(environment, change)
            )
            # Freezes first: in an incident, callers should read about that before the calendar.
            return self._combined((*freezes, *by_policies.lines)) if freezes else by_policies
        compiled, service_zone = self.compiled, self.policy_set.service_zone(service)
        numbers = compiled.matching(service, environment, change)
        return self._combined(tuple(compiled.timeline(number, service_zone) for number in numbers))

    def _joint_scope(self, question: Question) -> ScopeTimeline:
        """Return the timeline of the rules of all services of a question."""
        lines = self._lines_of_all(question)
        if self is self._policies_alone or (lines and lines[0].rule.kind == "freeze"):
            return self._combined(lines)
        return self._policies_alone.scope_of(question)

    def _lines_of_all(self, question: Question) -> tuple[RuleTimeline, ...]:
        """Return the rules of all services of a question, each once in each zone; in the order as for one."""
        lines: dict[RuleTimeline, None] = {}
        for service in question.services:
            lines |= dict.fromkeys(self.scope(service, question.environment, question.change).lines)
            if len(lines) > MOST_RULES and len(question.services) > 1:
                raise TooManyRulesError(MOST_RULES)
        freezes = [line for line in self._freeze_timelines if line in lines]
        policies = (line for line in lines if line.rule.kind != "freeze")
        return (*freezes, *sorted(policies, key=lambda line: self.compiled.number_of(line.rule.id)))

    def _combined(self, lines: tuple[RuleTimeline, ...]) -> ScopeTimeline:
        """Return the combined timeline of some rules; equal ones are shared."""
        scope = self._shared.get(lines)
        if scope is None:
            scope = self._shared[lines] = ScopeTimeline(lines, self.compiled.budget)
        return scope

    def _check_name(self, field: str, name: str, known: Collection[str]) -> None:
        if name not in known:
            raise UnknownNameError(field, name, tuple(known))
