"""The kinds of window. A file is named like the word in policies.yaml, and knows no other kind.

A new kind is one new file here, one line in `WindowEntry`, one test file, one row in the docs.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from app.core.errors import MalformedValueError
from app.core.windows.always import Always
from app.core.windows.cron import Cron
from app.core.windows.daily import Daily
from app.core.windows.dates import Dates
from app.core.windows.holidays import Holidays
from app.core.windows.icalendar import ICalendar
from app.core.windows.weekly import Weekly
from app.core.windows.window import Window
from app.core.windows.yearly import Yearly

# Not `| None`: a key with nothing behind it is an error, and null is no window.
_ABSENT: Any = None


class WindowEntry(BaseModel):
    """One entry of `when` or `except_when`: a mapping of a single key, the kind of window."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    weekly: Weekly = _ABSENT
    daily: Daily = _ABSENT
    dates: Dates = _ABSENT
    yearly: Yearly = _ABSENT
    holidays: Holidays = _ABSENT
    cron: Cron = _ABSENT
    icalendar: ICalendar = _ABSENT
    always: Always = _ABSENT

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise MalformedValueError(f"an entry holds exactly one window, one of: {kinds}")
        return self

    @property
    def kind(self) -> str:
        """The word in policies.yaml: ``weekly``."""
        return next(iter(self.model_fields_set), "")

    @property
    def window(self) -> Window:
        """The window itself."""
        window: Window = getattr(self, self.kind)
        return window


__all__ = ["Window", "WindowEntry"]
