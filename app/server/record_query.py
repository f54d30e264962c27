"""The filter of the recorded decisions that insights and backtests count."""

from pydantic import Field

from app.core.errors import MalformedValueError
from app.core.interval import Period
from app.core.record_period import LONGEST_DAYS, USUAL_DAYS, record_period
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, NameField, Strict


class RecordQuery(Strict):
    """The filter of recorded decisions, by period, environment, service and kind of change."""

    from_: InstantField | None = Field(
        None,
        alias="from",
        description=f"decided at this instant or later; {USUAL_DAYS} days before `to` if left out",
    )
    to: InstantField | None = Field(
        None,
        description=f"decided before this instant, at most {LONGEST_DAYS} days later; "
        "the end of this minute if left out",
    )
    environment: NameField | None = Field(
        None, description="only of this environment", examples=["production"]
    )
    service: NameField | None = Field(None, description="only of this service", examples=["checkout"])
    change: NameField | None = Field(None, description="only of this kind of change", examples=["normal"])

    def period(self, now: int) -> Period:
        """Return the start and the end of the period."""
        try:
            return record_period(now, self.from_, self.to)
        except MalformedValueError:
            sentence = f"must be after from, by {LONGEST_DAYS} days at most"
            raise InvalidFieldsError([{"field": "to", "message": sentence}]) from None
