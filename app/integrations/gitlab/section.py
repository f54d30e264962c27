"""The section of GitLab in the integrations file."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.field_types import USUAL_WAIT, Address, Wait
from app.integrations.projection_section import MOST_SCOPES, Days, ScopeSection, days_field
from app.integrations.section import WithSecret, WithToken

Project = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$"), Field(title="text")
]


class JobRule(DeployRule, WithToken):
    """The meaning of some manual jobs, and the token that plays them."""

    names: ClassVar[tuple[str, ...]] = ("project", "job", "ref", "name")

    project: Glob = Field(
        description="the projects, by their path, with `*` for any characters but `/`", examples=["acme/*"]
    )
    job: Glob = Field(
        description="the jobs, by name, with `*`; only jobs that an entry names are played",
        examples=["deploy"],
    )
    ref: Glob | None = Field(
        None, description="the branches and tags, with `*`; all if left out", examples=["main"]
    )


class ProjectScope(ScopeSection):
    """The freezes that are projected to one project."""

    project: Project = Field(
        description="the path of the project, or its id as text", examples=["group/shop", "42"]
    )


class ProjectedPeriods(WithToken):
    """The projects whose freeze periods are kept in step, and the token that changes them."""

    days: Days = days_field()
    projects: list[ProjectScope] = Field(
        min_length=1, max_length=MOST_SCOPES, description="the projects that are kept in step"
    )


class GitLab(WithSecret):
    """The jobs, the secret token or the signing token of the webhook, and the freeze periods."""

    # Without one, each webhook is refused; freeze periods need none.
    secret_names: ClassVar[tuple[str, ...]] = ()
    optional_secrets: ClassVar[tuple[str, ...]] = ("secret",)

    url: Address = Field(
        "https://gitlab.com",
        description="the address of your GitLab: jobs are played there",
        examples=["https://gitlab.example.com"],
    )
    longest_wait: Wait = Field(
        USUAL_WAIT,
        description="how long a job waits; then it stays a manual job that isn't played; at most `35d`",
        examples=["7d"],
        json_schema_extra={"default": "14d"},
    )
    deployments: list[JobRule] = Field(
        default=[],
        max_length=MOST_RULES,
        description="what jobs are; the first entry that matches counts, and others are left alone",
    )
    freeze_periods: ProjectedPeriods | None = Field(
        None, description="the freeze periods that are kept in step with the policies"
    )
