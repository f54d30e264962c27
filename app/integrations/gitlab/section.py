"""The section of GitLab in the integrations file."""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.hold import LONGEST_WAIT
from app.core.instant import DAY
from app.core.url import secure_url
from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.section import Text, WithSecret, WithToken

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


class GitLab(WithSecret):
    """The jobs, and the secret token or the signing token of the webhook."""

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
