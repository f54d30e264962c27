"""What a policy file says, as data: the models that policies.yaml is read into.

The JSON Schema for editors is generated from them. They check each value by itself; what one part
says of another (ids twice, names that do not exist) is checked by `app.policies`, which knows the
lines of the file.
"""

import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from app.core.notation import Duration, ZoneName
from app.core.windows import WindowEntry

NAME_PATTERN = r"[a-z0-9][a-z0-9._/-]{0,127}"
"""The names of services and environments, in the file and in requests; never normalised."""

Name = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$")]
NameGlob = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*][a-z0-9._/*-]{0,127}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]

SERVICE_ZONE = "service"


class Effect(StrEnum):
    """What a policy does: veto in its windows, veto outside of them, or only warn."""

    DENY = "deny"
    ALLOW_ONLY = "allow-only"
    WARN = "warn"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class Selector(_Part):
    """Which requests are meant: every field given must match, each by any of its values."""

    environments: list[Name] | None = Field(None, min_length=1)
    services: list[NameGlob] | None = Field(None, min_length=1)
    tags: list[NameGlob] | None = Field(None, min_length=1)
    changes: list[Name] | None = Field(None, min_length=1)

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Whether a request for this service, with these tags in the catalogue, is meant."""
        return (
            (self.environments is None or environment in self.environments)
            and (self.changes is None or change in self.changes)
            and (self.services is None or self._names_service(service))
            and (self.tags is None or any(self._tag_pattern.fullmatch(tag) for tag in tags))
        )

    def _names_service(self, service: str) -> bool:
        return self._service_pattern.fullmatch(service) is not None

    @cached_property
    def _service_pattern(self) -> re.Pattern[str]:
        return glob_pattern(self.services or ())

    @cached_property
    def _tag_pattern(self) -> re.Pattern[str]:
        return glob_pattern(self.tags or ())


def glob_pattern(globs: list[str] | tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for any of the globs: only ``*`` is special, and it does not cross a ``/``."""
    return re.compile("|".join("[^/]*".join(map(re.escape, glob.split("*"))) for glob in globs))


Selectors = Annotated[
    list[Selector], BeforeValidator(_as_list, json_schema_input_type=list[Selector] | Selector)
]


class Ceilings(_Part):
    """The most that an override token may have; what is left out is not limited further."""

    max_ttl: Duration | None = Field(None, description="the longest a token may live")
    max_uses: int | None = Field(None, ge=1, le=1000, description="the most deploys one token lets through")
    approvals: int | None = Field(None, ge=0, le=10, description="how many other people must approve it")


class Policy(_Part):
    """One rule, with the reason why it exists."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: Text
    reason: Text
    contact: Text | None = None
    link: Annotated[str, StringConstraints(pattern=r"^https?://\S{1,490}$")] | None = None
    effect: Effect = Effect.DENY
    timezone: Literal["service"] | ZoneName | None = None
    applies_to: Selectors | None = None
    exempt: Selectors | None = None
    override: Literal["token", "never"] | Ceilings = "token"
    when: list[WindowEntry] = Field(min_length=1)
    except_when: list[WindowEntry] = Field(default_factory=list)

    @property
    def overridable(self) -> Literal["token", "never"]:
        """Whether a token may lift this policy's veto."""
        return "never" if self.override == "never" else "token"

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Whether this policy applies to a request and does not exempt it."""
        meant = self.applies_to is None or any(
            selector.matches(service, tags, environment, change) for selector in self.applies_to
        )
        return meant and not any(
            selector.matches(service, tags, environment, change) for selector in self.exempt or ()
        )


class Service(_Part):
    """A service of the catalogue."""

    tags: list[Name] = Field(default_factory=list)
    timezone: ZoneName | None = None


class SelfTest(_Part):
    """One of the file's own unit tests: a question and the answer it must get."""

    at: str
    service: Name
    name: Text | None = None
    environment: Name = "production"
    change: Name = "normal"
    duration: str = "0s"
    expect: Literal["allow", "warn", "deny"]
    by: list[str] | None = None
    next_change: str | None = None


class PolicySet(_Part):
    """Everything that a policy file says."""

    version: Literal[1]
    timezone: ZoneName = "UTC"
    environments: list[Name] = Field(default=["production"], min_length=1)
    services: dict[Name, Service] | None = None
    unknown_services: Literal["allow", "refuse"] = "allow"
    changes: list[Name] = Field(default=["normal", "hotfix", "rollback"], min_length=1)
    overrides: Ceilings = Ceilings.model_validate({"max_ttl": "24h", "max_uses": 5, "approvals": 0})
    policies: list[Policy]
    tests: list[SelfTest] = Field(default_factory=list)
