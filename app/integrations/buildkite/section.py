"""The section of Buildkite in the integrations file."""

from typing import Annotated, ClassVar, Final

from pydantic import Field, StringConstraints

from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.field_types import USUAL_WAIT, Address, Wait
from app.integrations.section import Text, WithSecret, WithToken

SLUG: Final = r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?"

_Slug = Annotated[str, StringConstraints(pattern=rf"^{SLUG}$"), Field(title="slug")]


class BlockRule(DeployRule):
    """The meaning of the builds of some pipelines."""

    names: ClassVar[tuple[str, ...]] = ("pipeline", "branch")

    pipeline: Glob | None = Field(
        None, description="the slugs of the pipelines, with `*`; all if left out", examples=["checkout"]
    )
    branch: Glob | None = Field(
        None,
        description="the branches, with `*` for any characters but `/`; all if left out",
        examples=["main"],
    )


class Buildkite(WithSecret, WithToken):
    """The pipelines, the token that webhooks are signed with, and the token of the API."""

    secret_names: ClassVar[tuple[str, ...]] = ("secret", "token")

    organization: _Slug = Field(description="the slug of the organization", examples=["acme"])
    step: Annotated[Text, StringConstraints(max_length=100)] = Field(
        "freezegate",
        description="the `key` of the block step; no other step is unblocked",
        examples=["freezegate"],
    )
    api: Address = Field(
        "https://api.buildkite.com",
        description="the address of the API",
        examples=["https://api.buildkite.com"],
    )
    longest_wait: Wait = Field(
        USUAL_WAIT,
        description="how long a build waits; then the step stays blocked; at most `35d`",
        examples=["7d"],
        json_schema_extra={"default": "14d"},
    )
    deployments: list[BlockRule] = Field(
        default=[],
        max_length=MOST_RULES,
        description="what builds are; the first entry that matches counts, and others are left alone",
    )
