"""GitHub's section of the integrations file: the App, and what repositories and environments mean."""

import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints, model_validator

from app.core.decision import Question
from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.url import secure_url
from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob, Template, find_question
from app.integrations.github.looks import Looks
from app.integrations.github.merge_section import Merges, RepositoryGlob
from app.integrations.section import Text, WithSecret

if TYPE_CHECKING:
    from app.integrations.github.client import App

PUBLIC_API: Final = "https://api.github.com"

_MOST_NOTICES: Final = 500
"""Notices that wait to be sent; a flood of requests without a rule must not fill the memory."""


def _api(url: str) -> str:
    try:
        return secure_url(url).rstrip("/")
    except ValueError as error:
        raise MalformedValueError(f"the URL {error}") from None


Url = Annotated[str, StringConstraints(max_length=200), AfterValidator(_api), Field(title="URL")]


class Notice(NamedTuple):
    """A report to a run that no hold is kept for, such as one that no rule speaks of."""

    installation: int
    repository: str
    run_id: int
    environment: str
    text: str


class DeploymentRule(DeployRule):
    """The meaning of deploys from some repositories to some GitHub environments."""

    names: ClassVar[tuple[str, ...]] = ("repository", "owner", "name", "github_environment")

    repository: RepositoryGlob = Field(
        description="the repositories, as `owner/name`; `*` stands for any characters but `/`; case doesn't "
        "count",
        examples=["acme/*"],
    )
    github_environment: Glob | None = Field(
        None,
        description="the environments on GitHub, with `*` as in `repository`; if left out, the one of the "
        "same name as `environment`",
        examples=["prod-*"],
    )
    service: Template = Field(
        "{name}",
        description="the service; `{owner}`, `{name}`, `{repository}` (`owner/name`) and "
        "`{github_environment}` stand for names on GitHub, in lower case",
        examples=["{name}"],
    )

    def matches(self, values: Mapping[str, str]) -> bool:
        """Return whether the rule is about a deploy with these names; case doesn't count."""
        same = self.github_environment is not None or self.environment == values["github_environment"].lower()
        return same and super().matches(values)


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
        max_length=MOST_RULES,
        description="what deploys mean; the first rule that matches counts, and without one nothing is "
        "approved",
    )

    merges: Merges | None = Field(
        None, description="the merge freeze: a check on pull requests and merge groups; none if left out"
    )

    _looks: Looks = PrivateAttr(default_factory=Looks)
    _app: "App | None" = PrivateAttr(None)
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

    def check_secrets(self) -> None:
        """Check the secret and the private key; see `Section.check_secrets`."""
        super().check_secrets()
        self.signing_key()

    def signing_key(self) -> Any:
        """Return the private key.

        Raises:
            FaultyValuesError: it is none of RSA, which GitHub wants.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        pem = self.secrets("private_key")[0].get_secret_value().encode()
        key = None
        with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
            key = load_pem_private_key(pem, None)
        if isinstance(key, RSAPrivateKey):
            return key
        fault = Fault((self.secret_field("private_key"),), "holds no RSA private key in PEM form")
        raise FaultyValuesError([fault])

    @property
    def graphql(self) -> str:
        """The address of the GraphQL API: beside that of the REST API on GitHub Enterprise Server."""
        return f"{self.api.removesuffix('/v3')}/graphql"

    @property
    def looks(self) -> Looks:
        """The heads that this replica looks at next."""
        return self._looks

    def app(self, make: "Callable[[], App]") -> "App":
        """Return the App, made at the first call: all that call the API share its tokens and rate limits."""
        if self._app is None:
            self._app = make()
        return self._app

    @property
    def notices(self) -> deque[Notice]:
        """The notices that wait to be sent by this replica."""
        return self._notices

    def question(self, repository: str, environment: str) -> Question:
        """Return the question for a deploy to an environment on GitHub.

        Raises:
            UnmatchedDeployError: no rule says what it is.
        """
        owner, _, name = repository.partition("/")
        names = {"repository": repository, "owner": owner, "name": name, "github_environment": environment}
        return find_question(self.deployments, names, "github")
