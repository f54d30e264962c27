"""The section of GitLab in the integrations file."""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.hold import LONGEST_WAIT
from app.core.instant import DAY
from app.core.url import secure_url
from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.projection_section import MOST_SCOPES, Days, ScopeSection, days_field
from app.integrations.section import Text, WithSecret, WithToken

Project = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,254}$"), Field(title="text")
]

USUAL_WAIT: Final = 14 * DAY
"""Seconds that a job waits: as long as the freeze at the end of a year."""


def _address(url: str) -> str:
    try:
        return secure_url(url).rstrip("/")
    except ValueError as error:
        raise MalformedValueError(f"the URL {error}") from None


def within_longest(seconds: int) -> int:
    """Check how long a deploy may wait.

    Raises:
        MalformedValueError: it is longer than the gate keeps those who wait.
    """
    if seconds > LONGEST_WAIT:
        raise MalformedValueError(f"is at most {LONGEST_WAIT // DAY}d")
    return seconds


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

    url: Annotated[Text, AfterValidator(_address), Field(title="URL")] = Field(
        "https://gitlab.com",
        description="the address of your GitLab: jobs are played there",
        examples=["https://gitlab.example.com"],
    )
    longest_wait: Annotated[Duration, AfterValidator(within_longest)] = Field(
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
