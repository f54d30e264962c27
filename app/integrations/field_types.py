"""Types of fields that the sections of several vendors have."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from app.core.errors import MalformedValueError
from app.core.field_types import Duration
from app.core.hold import LONGEST_WAIT
from app.core.instant import DAY
from app.core.url import secure_url
from app.integrations.section import Text

USUAL_WAIT: Final = 14 * DAY
"""Seconds that a deploy waits where the vendor has no limit: as long as the freeze at the end of a year."""


def _address(url: str) -> str:
    try:
        return secure_url(url).rstrip("/")
    except ValueError as error:
        raise MalformedValueError(f"the URL {error}") from None


def _within_longest(seconds: int) -> int:
    if seconds > LONGEST_WAIT:
        raise MalformedValueError(f"is at most {LONGEST_WAIT // DAY}d")
    return seconds


Address = Annotated[Text, AfterValidator(_address), Field(title="URL")]
"""The address of a vendor's API, without a slash at its end."""

Wait = Annotated[Duration, AfterValidator(_within_longest)]
"""How long a deploy may wait."""
