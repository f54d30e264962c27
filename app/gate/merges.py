"""The checks of merges: which one each head gets now. They are questions: nothing is recorded."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from app.clock import Clock
from app.core.decision import Decision, Question
from app.core.errors import MalformedValueError
from app.core.merge_check import MergeCheck, check_of
from app.core.merge_freeze import Head, MergeRule, PullRequest, ask, rule_of, verdicts
from app.core.policy import NAME_PATTERN
from app.gate.check import check
from app.gate.in_force import InForce, Policies


class HeadCount(NamedTuple):
    """The heads of an environment of kind merge, as they were last seen."""

    passing: int = 0
    stopped: int = 0


class Merges:
    """The checks of merges by what is in force now; and how many heads are stopped, for the metrics."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        """Count no heads yet."""
        self._policies = policies
        self._clock = clock
        self._counts: dict[str, Mapping[str, HeadCount]] = {}

    def checks(
        self, rules: Sequence[MergeRule], repository: str, heads: Sequence[Head]
    ) -> list[tuple[Head, MergeCheck]]:
        """Return the check of each head; heads that no rule is about are left out.

        Raises:
            NotLoadedError: no policies are loaded.
        """
        decide = _Deciding(self._policies.in_force, self._clock.now(), repository)
        found = ((head, verdicts(rules, repository, head, decide)) for head in heads)
        return [(head, check_of(head, each)) for head, each in found if each]

    def state(self, rules: Sequence[MergeRule], repository: str) -> tuple[str, ...]:
        """Return what the checks of a repository depend on besides the heads: if it is equal, they are.

        Raises:
            NotLoadedError: no policies are loaded.
        """
        decide = _Deciding(self._policies.in_force, self._clock.now(), repository)
        return tuple(
            check_of(_NOWHERE, [ask(None, rule, change, decide)]).fingerprint
            for rule in rules
            if rule.repositories.fullmatch(repository.lower())
            for change in (None, *(change for _, change in rule.changes))
        )

    def count(
        self, rules: Sequence[MergeRule], repository: str, results: Iterable[tuple[Head, MergeCheck]]
    ) -> None:
        """Count the heads of a repository by their environments, as they were last seen."""
        counts: dict[str, HeadCount] = {}
        for head, each in results:
            rule = rule_of(rules, repository, head.base)
            if rule is not None:
                passing, stopped = counts.get(rule.environment, HeadCount())
                counts[rule.environment] = HeadCount(passing + each.passes, stopped + (not each.passes))
        self._counts[repository] = counts

    def keep(self, repositories: Collection[str]) -> None:
        """Count only the heads of these repositories from now on."""
        self._counts = {name: each for name, each in self._counts.items() if name in repositories}

    @property
    def heads(self) -> Mapping[str, HeadCount]:
        """The heads by their environments; empty on a replica that doesn't check them."""
        total: dict[str, HeadCount] = {}
        for counts in list(self._counts.values()):
            for environment, each in counts.items():
                passing, stopped = total.get(environment, HeadCount())
                total[environment] = HeadCount(passing + each.passing, stopped + each.stopped)
        return total


_NOWHERE: Final = Head("", "", (PullRequest(0, "", ""),))


class _Deciding:
    """The decisions on merges into one repository at one instant; each question is decided once."""

    def __init__(self, in_force: InForce, at: int, repository: str) -> None:
        self._in_force = in_force
        self._at = at
        self._repository = repository
        self._decisions: dict[tuple[str, str, str | None], Decision] = {}

    def __call__(self, rule: MergeRule, change: str | None) -> Decision:
        """Decide by a rule, for a kind of change; None: the usual one.

        Raises:
            MalformedValueError: the service would have no valid name.
            UnknownNameError: the policies list no such environment, kind of change or service.
        """
        service = rule.service_of(self._repository)
        key = service, rule.environment, change
        decision = self._decisions.get(key)
        if decision is None:
            if re.fullmatch(NAME_PATTERN, service) is None:
                raise MalformedValueError(f'"{service}" is no name of a service: write one in the rule')
            usual = self._in_force.policy_set.usual_change
            question = Question(service, rule.environment, change or usual)
            decision = self._decisions[key] = check(self._in_force, question, self._at)
        return decision
