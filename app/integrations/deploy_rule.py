"""Rules that say which deploy a vendor's request is about: its names, and what they mean in policies.yaml.

```yaml
deployments:
  - namespace: prod-*
    canary: "*"
    service: "{canary}"
    environment: production
    duration: 30m
```

The first rule that matches counts. A request that none matches is never allowed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import Field, StringConstraints, field_validator

from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.policy import FORMS, NAME_PATTERN, Name, glob_pattern
from app.integrations.section import Section, Text

MOST_RULES: Final = 1_000
"""Rules of one vendor; each request may try all of them."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(NAME_PATTERN)

Glob = Annotated[str, StringConstraints(min_length=1, max_length=200), Field(title="name pattern")]
Template = Annotated[Text, Field(title="name")]


class UnmatchedDeployError(MalformedValueError):
    """No rule of the integrations file matches a request, or the matching one makes no valid name."""


class DeployRule(Section):
    """The meaning of some deploys of a vendor.

    A vendor's own rule adds a `Glob` for each name that it is matched by, and lists the names.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """The vendor's names of a deploy: each is a placeholder; those that are fields are matched, too."""

    service: Template = Field(
        description="the service; a vendor's name in braces stands for its value, in lower case",
        examples=["{name}"],
    )
    environment: Name = Field(description="the environment in policies.yaml", examples=["production"])
    change: Name = Field("normal", description="the kind of change", examples=["normal"])
    duration: Duration = Field(0, description="how long a deploy takes", examples=["20m"])

    @field_validator("service")
    @classmethod
    def _check_placeholders(cls, template: str) -> str:
        unknown = set(_PLACEHOLDER.findall(template)).difference(cls.names)
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in cls.names)
            raise MalformedValueError(f"only these are filled in: {known}")
        if _NAME.fullmatch(_PLACEHOLDER.sub("x", template)) is None:
            raise MalformedValueError(FORMS[f"^{NAME_PATTERN}$"])
        return template

    def matches(self, values: Mapping[str, str]) -> bool:
        """Return whether the rule is about a deploy with these names; case doesn't count."""
        globs = ((name, getattr(self, name, None)) for name in self.names)
        return all(
            glob is None or glob_pattern([glob.lower()]).fullmatch(values.get(name, "").lower()) is not None
            for name, glob in globs
        )

    def question(self, values: Mapping[str, str]) -> Question:
        """Return the question for a deploy with these names.

        Raises:
            UnmatchedDeployError: the service would have no valid name.
        """
        service = _PLACEHOLDER.sub(lambda found: values.get(found[1], "").lower(), self.service)
        if _NAME.fullmatch(service) is None:
            raise UnmatchedDeployError(
                f"the rule in the integrations file makes no service of this deploy; "
                f"{FORMS[f'^{NAME_PATTERN}$']}"
            )
        return Question(service, self.environment, self.change, self.duration)


AnyRule = TypeVar("AnyRule", bound=DeployRule)


def find_rule(rules: Sequence[AnyRule], values: Mapping[str, str]) -> AnyRule | None:
    """Return the first rule that matches; None if none does."""
    return next((rule for rule in rules if rule.matches(values)), None)


def find_question(rules: Sequence[DeployRule], values: Mapping[str, str], vendor: str) -> Question:
    """Return the question for a deploy, by the first rule that matches.

    Raises:
        UnmatchedDeployError: none does, or it makes no valid name.
    """
    rule = find_rule(rules, values)
    if rule is None:
        raise UnmatchedDeployError(
            f"no entry of `deployments` under `{vendor}` in the integrations file matches this; add one"
        )
    return rule.question(values)
