"""Environments of a policy file: the kind of each, and how its waiting deploys are released."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.instant import HOUR, MINUTE
from app.core.notation import format_duration

USUAL_BATCH: Final = 5
"""Deploys that are released at a time: few enough for people to watch each of them."""

MOST_BATCH: Final = 1_000
"""The largest batch: more deploys than any platform starts at a time."""

USUAL_PAUSE: Final = MINUTE
"""Seconds between two batches: a deploy that breaks at its start has shown it by then."""

LONGEST_PAUSE: Final = HOUR
"""Seconds between two batches at most; with longer ones, the last of a hundred deploys waits for days."""


class EnvironmentKind(StrEnum):
    """The kind of an environment: it is deployed to, or it is a branch that is merged into."""

    DEPLOY = "deploy"
    MERGE = "merge"


def _bounded(pause: int) -> int:
    if pause > LONGEST_PAUSE:
        raise MalformedValueError("is longer than an hour")
    return pause


class _Part(BaseModel):
    # Strict: "5" is not a number and 1 is not true; YAML has typed each value already.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Release(_Part):
    """The pace at which waiting deploys are let through once an environment opens."""

    batch: int = Field(
        USUAL_BATCH,
        ge=1,
        le=MOST_BATCH,
        description="the number of waiting deploys that are released at a time, the longest waiting first",
        examples=[10],
    )
    every: Annotated[Duration, AfterValidator(_bounded)] = Field(
        USUAL_PAUSE,
        description="the pause between two batches; at most an hour",
        examples=["2m"],
        json_schema_extra={"default": format_duration(USUAL_PAUSE)},
    )

    def __str__(self) -> str:
        """Return it in words, for differences of two files."""
        return f"batch {self.batch}, every {format_duration(self.every)}"


class Environment(_Part):
    """An environment of the file."""

    kind: EnvironmentKind = Field(
        EnvironmentKind.DEPLOY,
        strict=False,  # accept the word as well as the enum member
        description="`deploy` for what is deployed to, `merge` for a branch that is frozen for merges: its "
        'answers say "may not be merged into main"',
        examples=["merge"],
    )
    release: Release = Field(
        Release.model_validate({}),
        description="how many of the deploys that wait for it to open are released at a time",
        examples=[{"batch": 10, "every": "2m"}],
        json_schema_extra={"default": {"batch": USUAL_BATCH, "every": format_duration(USUAL_PAUSE)}},
    )


USUAL_ENVIRONMENT: Final = Environment.model_validate({})
"""The entry of an environment that is only listed by its name."""
