"""The freeze of merges: whether the head of a pull request, or of a merge group, may be merged.

A branch is an environment, and a merge into it is asked about like a deploy, as a question: nothing is
recorded. A head stands for one pull request, or for several: a merge group has those before it in the queue,
too, and two pull requests may have the same commit. It passes if each of them does.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from app.core.decision import Decision, Stretch
from app.core.errors import FreezegateError
from app.core.policy import glob_pattern

_STARS: Final = re.compile(r"(\*\*/|\*\*|\*)")
_MEANINGS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}


class MergeRule(NamedTuple):
    """The meaning of a merge into the branches of a repository, and what is exempt from its freezes."""

    repositories: re.Pattern[str]
    branches: re.Pattern[str]
    service: str
    """The service that is asked about; ``{owner}`` and ``{name}`` stand for those of the repository."""
    environment: str
    labels: tuple[str, ...] = ()
    """A pull request with any of these labels is exempt."""
    paths: re.Pattern[str] | None = None
    """A pull request that changes only files that match is exempt; None: that exempts none."""
    changes: tuple[tuple[str, str], ...] = ()
    """Labels, and the kinds of change that they mean; the first one that a pull request has counts."""

    def applies_to(self, repository: str, branch: str) -> bool:
        """Return whether it is about a branch of a repository, ``owner/name``."""
        return (
            self.repositories.fullmatch(repository.lower()) is not None
            and self.branches.fullmatch(branch) is not None
        )

    def service_of(self, repository: str) -> str:
        """Return the service that a merge into a repository is asked about."""
        owner, _, name = repository.lower().partition("/")
        return self.service.replace("{owner}", owner).replace("{name}", name)


class PullRequest(NamedTuple):
    """The facts about an open pull request that decide on its merge."""

    number: int
    head: str
    """The commit at its head."""
    base: str
    """The branch that it is to be merged into."""
    labels: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    """The files that it changes; None if they are not known, or not all of them."""


class Head(NamedTuple):
    """A commit that is checked, and the pull requests that its merge would merge."""

    sha: str
    base: str
    pulls: tuple[PullRequest, ...]
    group: bool = False
    """Whether it is the head of a merge group."""
    complete: bool = True
    """Whether these are all of its pull requests; if not, none of them is exempt."""


class MergeVerdict(NamedTuple):
    """The verdict on one pull request of a head."""

    number: int | None
    """Its number; None for a merge group whose pull requests aren't known."""
    rule: MergeRule
    exempt: str | None = None
    """Why it is exempt, as words after "exempt:"; None if it isn't."""
    decision: Decision | None = None
    """The answer to the question; None if it wasn't asked, or couldn't be answered."""
    doubt: str | None = None
    """Why there is no answer, as a sentence; it may not be merged then."""

    @property
    def passes(self) -> bool:
        """Whether it may be merged."""
        if self.exempt is not None:
            return True
        return self.decision is not None and self.decision.allowed

    @property
    def warnings(self) -> tuple[Stretch, ...]:
        """The rules that warn of it."""
        return () if self.decision is None else self.decision.warnings


Decide = Callable[[MergeRule, str | None], Decision]
"""Decides on a merge by its rule, for a kind of change; None: the usual one."""


def repository_pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern for ``owner/name``, in lower case: GitHub's names have no case."""
    return glob_pattern([glob.lower()])


def branch_pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern for the name of a branch."""
    return glob_pattern([glob])


def path_pattern(globs: Sequence[str]) -> re.Pattern[str]:
    """Return one pattern for any of the globs: ``*`` stays in its folder, ``**`` goes into all below it."""
    return re.compile("|".join(map(_of_path, globs)), re.DOTALL)


def _of_path(glob: str) -> str:
    return "".join(_MEANINGS.get(part) or re.escape(part) for part in _STARS.split(glob))


def rule_of(rules: Sequence[MergeRule], repository: str, branch: str) -> MergeRule | None:
    """Return the first rule about a branch of a repository."""
    return next((each for each in rules if each.applies_to(repository, branch)), None)


def heads_of(pulls: Sequence[PullRequest]) -> list[Head]:
    """Return the heads of pull requests; those with the same commit are checked together.

    A check belongs to the commit, so that the one for an open branch would let it into a frozen one, too.
    """
    by_head: dict[str, list[PullRequest]] = {}
    for each in pulls:
        by_head.setdefault(each.head, []).append(each)
    return [Head(sha, alike[0].base, tuple(alike)) for sha, alike in by_head.items()]


def verdicts(rules: Sequence[MergeRule], repository: str, head: Head, decide: Decide) -> list[MergeVerdict]:
    """Return the verdict on each pull request of a head that a rule is about; none if no rule is.

    If the pull requests of a merge group aren't all known, it is judged as one that nothing exempts.
    """
    if head.group and not (head.complete and head.pulls):
        rule = rule_of(rules, repository, head.base)
        return [] if rule is None else [ask(None, rule, None, decide)]
    return [
        _verdict(rule, each, decide)
        for each in head.pulls
        if (rule := rule_of(rules, repository, each.base)) is not None
    ]


def _verdict(rule: MergeRule, pull: PullRequest, decide: Decide) -> MergeVerdict:
    exempt = _exemption(rule, pull)
    if exempt is not None:
        return MergeVerdict(pull.number, rule, exempt)
    given = {label.lower() for label in pull.labels}
    change = next((change for label, change in rule.changes if label.lower() in given), None)
    return ask(pull.number, rule, change, decide)


def ask(number: int | None, rule: MergeRule, change: str | None, decide: Decide) -> MergeVerdict:
    """Return the verdict on a pull request that nothing exempts."""
    try:
        return MergeVerdict(number, rule, decision=decide(rule, change))
    except FreezegateError as error:
        return MergeVerdict(number, rule, doubt=str(error))


def _exemption(rule: MergeRule, pull: PullRequest) -> str | None:
    given = {label.lower() for label in pull.labels}
    label = next((each for each in rule.labels if each.lower() in given), None)
    if label is not None:
        return f"it has the label {label}"
    if rule.paths is not None and pull.paths and all(map(rule.paths.fullmatch, pull.paths)):
        return "it changes exempt paths only"
    return None
