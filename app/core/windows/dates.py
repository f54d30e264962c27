"""``dates: {from: 2026-12-11, to: 2026-12-13 18:00}``: once."""

from typing import Self

from pydantic import Field, model_validator

from app.core.errors import MalformedValueError
from app.core.field_types import DateBoundText
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import DateBound, format_time_of_day
from app.core.wallclock import Wall, calendar_date
from app.core.window import Window


class Dates(Window):
    """Open once, between two local times; a bare date as `to` includes that day."""

    from_: DateBoundText = Field(
        alias="from",
        description="date (from its first second) or local time at which it opens",
        examples=["2026-12-11"],
    )
    to: DateBoundText = Field(
        description="date (to its end) or local time at which it closes; after `from`",
        examples=["2026-12-13 18:00"],
    )

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self._end() <= self._start():
            raise MalformedValueError("to is not after from")
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:  # noqa: ARG002 - there is only one
        """Return the one interval."""
        return [(wall.start(self._start()), wall.end(self._end()))]

    def words(self) -> str:
        """Return ``from Fri 11 Dec 2026 to the end of Sun 13 Dec 2026``."""
        last = _say(self.to) if self.to.time is not None else f"the end of {_say(self.to)}"
        return f"from {_say(self.from_)} to {last}"

    def is_empty(self, wall: Wall) -> bool:
        """Return whether a clock change skips all of it."""
        return wall.end(self._end()) <= wall.start(self._start())

    def over_by(self, wall: Wall) -> int | None:
        """Return its end."""
        return wall.end(self._end())

    def _start(self) -> int:
        return self.from_.day * DAY + (self.from_.time or 0)

    def _end(self) -> int:
        return self.to.day * DAY + (DAY if self.to.time is None else self.to.time)


def _say(bound: DateBound) -> str:
    day = calendar_date(bound.day)
    time = "" if bound.time is None else f" {format_time_of_day(bound.time)}"
    return f"{day:%a} {day.day} {day:%b} {day.year}{time}"
