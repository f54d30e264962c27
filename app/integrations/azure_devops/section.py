"""The section of Azure DevOps in the integrations file."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.instant import HOUR
from app.integrations.callback_url import Host
from app.integrations.section import WithSecret

LONGEST_WAIT: Final = 47 * HOUR
"""Seconds that a check may wait: its token is void after 48 hours, and the last answer must reach Azure."""


def _within_token(seconds: int) -> int:
    if seconds > LONGEST_WAIT:
        raise MalformedValueError("is at most 47h: the token of a check is void after 48 hours")
    return seconds


class AzureDevOps(WithSecret):
    """The secret that checks send as `Authorization: Bearer`, and the hosts that are answered."""

    hosts: list[Host] = Field(
        default=["dev.azure.com", "*.visualstudio.com"],
        min_length=1,
        max_length=20,
        description="the hosts that decisions are sent to; yours, if you run Azure DevOps Server",
        examples=[["azure.example.com"]],
    )
    longest_wait: Annotated[Duration, AfterValidator(_within_token)] = Field(
        LONGEST_WAIT,
        description="how long a check waits before it fails; less than its *Timeout*, and at most `47h`",
        examples=["23h"],
        json_schema_extra={"default": "47h"},
    )
