"""The kinds of window. Each file is named after its key in policies.yaml and imports no other kind.

A new kind needs one new file here, one field in `WindowEntry`, one test file and one row in the docs.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.errors import MalformedValueError
from app.core.window import Window
from app.core.windows.always import Always
from app.core.windows.cron import Cron
from app.core.windows.daily import Daily
from app.core.windows.dates import Dates
from app.core.windows.holidays import Holidays
from app.core.windows.icalendar import ICalendar
from app.core.windows.monthly import Monthly
from app.core.windows.weekly import Weekly
from app.core.windows.yearly import Yearly

# Not `| None`: a key without a value is an error, and null is not a window.
_ABSENT: Any = None


class WindowEntry(BaseModel):
    """One entry of `when` or `except_when`: a mapping of a single key, the kind of window."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    weekly: Weekly = Field(
        _ABSENT, description="every week", examples=[{"from": "fri 14:00", "to": "mon 08:00"}]
    )
    monthly: Monthly = Field(
        _ABSENT,
        description="every month, by its days, weekdays or workdays",
        examples=[{"from": "last workday -2 18:00", "to": "first workday 08:00"}],
    )
    daily: Daily = Field(
        _ABSENT,
        description="every day, or on the weekdays named",
        examples=[{"days": ["mon-thu"], "from": "09:00", "to": "16:00"}],
    )
    dates: Dates = Field(
        _ABSENT, description="once", examples=[{"from": "2026-12-11", "to": "2026-12-13 18:00"}]
    )
    yearly: Yearly = Field(
        _ABSENT, description="every year", examples=[{"from": "12-20 18:00", "to": "01-03"}]
    )
    holidays: Holidays = Field(
        _ABSENT,
        description="on holidays of a country or market",
        examples=[{"country": "NL", "categories": ["public"], "eve_from": "14:00", "until": "08:00"}],
    )
    cron: Cron = Field(
        _ABSENT,
        description="from each firing of a cron expression",
        examples=[{"start": "0 18 * * FRI", "end": "0 8 * * MON"}],
    )
    icalendar: ICalendar = Field(
        _ABSENT,
        description="during the busy events of a calendar file",
        examples=[{"file": "releases.ics", "summary": "Freeze*"}],
    )
    always: Always = Field(_ABSENT, description="at every instant", examples=[True])

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise MalformedValueError(f"an entry holds exactly one window, one of: {kinds}")
        return self

    @property
    def kind(self) -> str:
        """The key in policies.yaml, such as ``weekly``."""
        return next(iter(self.model_fields_set), "")

    @property
    def window(self) -> Window:
        """The window."""
        window: Window = getattr(self, self.kind)
        return window


__all__ = ["WindowEntry"]
