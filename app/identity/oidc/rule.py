"""The parts that the rules of the identity file share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.core.policy import NameGlob
from app.core.url import secure_url
from app.identity.caller import Role


def _simple(value: object) -> object:
    if isinstance(value, str | int):  # a bool is an int to Python
        return value
    raise ValueError("must be a text, a whole number, or true or false")


Claim = Annotated[Any, AfterValidator(_simple), Field(title="claim value")]
Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(secure_url), Field(title="https URL")]


class Part(BaseModel):
    """The base of all parts of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rights(Part):
    """The role and the scope that a rule gives."""

    role: Role = Field(description="the role that the rule gives", examples=["ci"])
    services: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="the only services that the caller may act on: claim deploys, freeze, override, cancel; "
        "all if both this and `tags` are left out",
        examples=[["checkout"]],
    )
    tags: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="the services with one of these tags in the catalogue, besides those of `services`",
        examples=[["team-shop"]],
    )

    @property
    def only_services(self) -> tuple[str, ...] | None:
        """The services that the caller is restricted to; see `Caller.services`."""
        return None if self.services is None else tuple(self.services)

    @property
    def only_tags(self) -> tuple[str, ...] | None:
        """The tags that the caller is restricted to; see `Caller.tags`."""
        return None if self.tags is None else tuple(self.tags)


def fit(wanted: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Return whether every wanted claim is present and equal; true, 1 and "1" differ."""
    return all(
        name in told and type(told[name]) is type(value) and told[name] == value
        for name, value in wanted.items()
    )
