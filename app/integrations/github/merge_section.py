"""The part `merges` of GitHub's section: which branches freeze, and what is exempt."""

import re
from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.merge_freeze import MergeRule, branch_pattern, path_pattern, repository_pattern
from app.core.policy import NAME_PATTERN, Name
from app.integrations.deploy_rule import MOST_RULES, Glob
from app.integrations.section import Section

USUAL_CHECK: Final = "Merge freeze"

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_KNOWN_PLACEHOLDERS: Final = frozenset({"owner", "name"})


def _template(text: str) -> str:
    """Check the placeholders of a template, and that it makes a name when they are filled in."""
    if not _KNOWN_PLACEHOLDERS.issuperset(_PLACEHOLDER.findall(text)):
        raise MalformedValueError("only {owner} and {name} are filled in")
    if re.fullmatch(NAME_PATTERN, _PLACEHOLDER.sub("x", text)) is None:
        raise MalformedValueError(
            "a name is 1 to 128 of a-z, 0-9 and . _ / -, and begins with a letter or digit"
        )
    return text


RepositoryGlob = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.*-]+/[A-Za-z0-9_.*-]+$", max_length=200),
    Field(title="repository"),
]
Template = Annotated[str, AfterValidator(_template), Field(title="name")]
PathGlob = Annotated[str, StringConstraints(min_length=1, max_length=250), Field(title="glob")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=50), Field(title="label")]


class MergeExemption(Section):
    """The pull requests that no freeze stops; any of these is enough."""

    labels: list[Label] = Field(
        default=[],
        max_length=50,
        description="labels, of which one is enough; case doesn't count",
        examples=[["freeze-exempt"]],
    )
    paths: list[PathGlob] = Field(
        default=[],
        max_length=50,
        description="files: all that a pull request changes must match; `*` stays in a folder, `**` doesn't",
        examples=[["docs/**", "*.md"]],
    )


class MergeBranch(Section):
    """The meaning of merges into some branches of some repositories."""

    repository: RepositoryGlob = Field(
        description="the repositories, as `owner/name`; `*` stands for any characters but `/`; case doesn't "
        "count",
        examples=["acme/*"],
    )
    branch: Glob = Field(
        description="the base branches; `*` stands for any characters but `/`", examples=["main"]
    )
    environment: Name = Field(
        description="the environment in policies.yaml, of `kind: merge`", examples=["main"]
    )
    service: Template = Field(
        "{name}",
        description="the service; `{owner}` and `{name}` stand for those of the repository, in lower case",
        examples=["{name}"],
    )
    exempt: MergeExemption = Field(
        default=MergeExemption(), description="the pull requests that no freeze stops"
    )
    changes: dict[Label, Name] = Field(
        default={},
        max_length=50,
        description="labels, and the kinds of change that they mean; the first one that a pull request has "
        "counts",
        examples=[{"hotfix": "hotfix"}],
    )

    @cached_property
    def rule(self) -> MergeRule:
        """The rule, as it decides."""
        return MergeRule(
            repository_pattern(self.repository),
            branch_pattern(self.branch),
            self.service,
            self.environment,
            tuple(self.exempt.labels),
            path_pattern(self.exempt.paths) if self.exempt.paths else None,
            tuple(self.changes.items()),
        )


class Merges(Section):
    """The merge freeze: a check on pull requests and merge groups."""

    check: Annotated[str, StringConstraints(min_length=1, max_length=100), Field(title="text")] = Field(
        USUAL_CHECK,
        description="the name of the check, which a ruleset requires",
        examples=[USUAL_CHECK],
    )
    branches: list[MergeBranch] = Field(
        min_length=1,
        max_length=MOST_RULES,
        description="the branches that freeze; the first one that matches counts",
    )

    @cached_property
    def rules(self) -> tuple[MergeRule, ...]:
        """The rules, as they decide."""
        return tuple(each.rule for each in self.branches)

    @property
    def needs_paths(self) -> bool:
        """Whether changed files must be known."""
        return any(each.paths is not None for each in self.rules)

    def applies_to(self, repository: str) -> bool:
        """Return whether any rule is about a repository, ``owner/name``."""
        return any(each.repositories.fullmatch(repository.lower()) for each in self.rules)
