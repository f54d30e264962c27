"""GitHub's section of the integrations file: the App, and what repositories and environments mean."""

import re
from collections import deque
from functools import cached_property
from typing import Annotated, ClassVar, Final, NamedTuple

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints, model_validator

from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.policy import NAME_PATTERN, Name, glob_pattern
from app.core.url import secure_url
from app.integrations.section import Section, Text, WithSecret

PUBLIC_API: Final = "https://api.github.com"

_MOST_NOTICES: Final = 500
"""Notices that wait to be sent; a flood of requests without a rule must not fill the memory."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_KNOWN_PLACEHOLDERS: Final = frozenset({"owner", "name", "environment"})


def _api(url: str) -> str:
    try:
        return secure_url(url).rstrip("/")
    except ValueError as error:
        raise MalformedValueError(f"the URL {error}") from None


def _template(text: str) -> str:
    """Check the placeholders of a template, and that it makes a name when they are filled in."""
    for name in _PLACEHOLDER.findall(text):
        if name not in _KNOWN_PLACEHOLDERS:
            raise MalformedValueError("only {owner}, {name} and {environment} are filled in")
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
Url = Annotated[str, StringConstraints(max_length=200), AfterValidator(_api), Field(title="URL")]


class Notice(NamedTuple):
    """A report to a run that no hold is kept for, such as one that no rule speaks of."""

    installation: int
    repository: str
    run_id: int
    environment: str
    text: str


class DeploymentRule(Section):
    """The meaning of deploys from some repositories to some GitHub environments."""

    repository: RepositoryGlob = Field(
        description="the repositories, as `owner/name`; `*` stands for any characters but `/`; case doesn't "
        "count",
        examples=["acme/*"],
    )
    environment: Name = Field(description="the environment in policies.yaml", examples=["production"])
    github_environment: Text | None = Field(
        None,
        description="the environments on GitHub, with `*` as in `repository`; if left out, those of the same "
        "name as `environment`",
        examples=["prod-*"],
    )
    service: Template = Field(
        "{name}",
        description="the service; `{owner}`, `{name}` and `{environment}` stand for the owner, the "
        "repository and the environment on GitHub, in lower case",
        examples=["{name}"],
    )
    change: Name = Field("normal", description="the kind of change", examples=["normal"])
    duration: Duration = Field(0, description="how long a deploy takes", examples=["20m"])

    @cached_property
    def _repositories(self) -> re.Pattern[str]:
        return glob_pattern([self.repository.lower()])

    @cached_property
    def _environments(self) -> re.Pattern[str]:
        return glob_pattern([(self.github_environment or self.environment).lower()])

    def matches(self, repository: str, environment: str) -> bool:
        """Return whether it speaks of a repository and an environment on GitHub."""
        return (
            self._repositories.fullmatch(repository.lower()) is not None
            and self._environments.fullmatch(environment.lower()) is not None
        )

    def question(self, repository: str, environment: str) -> Question | None:
        """Return the question for a deploy; None if the service would have no valid name."""
        owner, _, name = repository.lower().partition("/")
        parts = {"owner": owner, "name": name, "environment": environment.lower()}
        service = _PLACEHOLDER.sub(lambda found: parts[found[1]], self.service)
        if re.fullmatch(NAME_PATTERN, service) is None:
            return None
        return Question(service, self.environment, self.change, self.duration)


class GitHub(WithSecret):
    """The App, and what it is asked about."""

    secret_names: ClassVar[tuple[str, ...]] = ("secret", "private_key")

    app_id: int | Text = Field(
        description="the App ID, or the client ID, from the settings of the App", examples=[12345]
    )
    private_key: Text | None = Field(
        None,
        description="the private key of the App, PEM; exactly one of `private_key`, `private_key_file` and "
        "`private_key_env` is required",
    )
    private_key_file: Text | None = Field(
        None,
        description="a file that holds the private key; a relative path starts at the folder of this file",
        examples=["/run/secrets/github-app.pem"],
    )
    private_key_env: Text | None = Field(
        None,
        description="a variable that holds the private key; not one that begins with `FREEZEGATE_`",
        examples=["GITHUB_APP_KEY"],
    )
    api: Url = Field(
        PUBLIC_API,
        description="the address of the API; on GitHub Enterprise Server, it ends in `/api/v3`",
        examples=["https://github.example.com/api/v3"],
    )
    gate_url: Url | None = Field(
        None,
        description="the address of the gate's dashboard, for the link in reports; none if left out",
        examples=["https://freezegate.example.com"],
    )
    deployments: list[DeploymentRule] = Field(
        default=[],
        max_length=1_000,
        description="what deploys mean; the first rule that matches counts, and without one nothing is "
        "approved",
    )

    _notices: deque[Notice] = PrivateAttr(default_factory=lambda: deque(maxlen=_MOST_NOTICES))

    @model_validator(mode="after")
    def _reached(self) -> "GitHub":
        """Refuse a rule behind one that takes all of its deploys."""
        seen: set[tuple[str, str]] = set()
        for rule in self.deployments:
            scope = (rule.repository.lower(), (rule.github_environment or rule.environment).lower())
            if scope in seen:
                raise MalformedValueError(
                    "deployments: two rules have the same repository and environment; the first one "
                    "counts, so remove the other"
                )
            seen.add(scope)
        return self

    @property
    def notices(self) -> deque[Notice]:
        """The notices that wait to be sent by this replica."""
        return self._notices

    def rule(self, repository: str, environment: str) -> DeploymentRule | None:
        """Return the rule for a deploy to an environment on GitHub; None if there is none."""
        found = (rule for rule in self.deployments if rule.matches(repository, environment))
        return next(found, None)
