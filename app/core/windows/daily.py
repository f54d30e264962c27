"""``daily: {days: [mon-thu], from: "09:00", to: "16:00"}``: on the wall clock, on the days named."""

from collections.abc import Sequence
from typing import Final, Self

from pydantic import Field, model_validator

from app.core.errors import MalformedValueError
from app.core.field_types import EndOfDay, TimeOfDay, Weekdays
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import WEEKDAYS, format_time_of_day
from app.core.wallclock import Wall, weekday
from app.core.window import Window

_EVERY_DAY: Final = tuple(range(7))
_NAMES: Final = {_EVERY_DAY: "every day", (0, 1, 2, 3, 4): "every working day", (5, 6): "every weekend"}


class Daily(Window):
    """Open from one time of day to another; past midnight it belongs to the day on which it opens."""

    from_: TimeOfDay = Field(alias="from", description="local time at which it opens", examples=["09:00"])
    to: EndOfDay = Field(
        description="local time at which it closes, at most `24:00`; on the next day if before `from`",
        examples=["16:00"],
    )
    days: tuple[Weekdays, ...] = Field(
        (_EVERY_DAY,),
        min_length=1,
        description="the weekdays on which it opens; every day if left out",
        examples=[["mon-thu", "sat"]],
        json_schema_extra={"default": ["mon-sun"]},
    )

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.from_ == self.to:
            raise MalformedValueError(
                "from and to are equal; for a whole day write from 00:00 to 24:00, for no end always: true"
            )
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return an interval for each selected day, from two days before the span on."""
        on, length = self._weekdays(), self._length()
        days = range(wall.day(span[0]) - 2, wall.day(span[1]) + 1)
        starts = [day * DAY + self.from_ for day in days if weekday(day) in on]
        return [(wall.start(local), wall.end(local + length)) for local in starts]

    def week(self) -> list[Interval]:
        """Return an interval for each selected day."""
        starts = [day * DAY + self.from_ for day in sorted(self._weekdays())]
        return [(start, start + self._length()) for start in starts]

    @property
    def is_daily(self) -> bool:
        """Whether it opens on every day of the week."""
        return len(self._weekdays()) == len(_EVERY_DAY)

    def words(self) -> str:
        """Return ``every working day from 09:00 to 16:00``."""
        days = tuple(sorted(self._weekdays()))
        named = _NAMES.get(days) or f"every {_listed([WEEKDAYS[day].capitalize() for day in days])}"
        until = "24:00" if self.to == DAY else format_time_of_day(self.to)
        after = " of the day after" if self.to < self.from_ else ""
        return f"{named} from {format_time_of_day(self.from_)} to {until}{after}"

    def _length(self) -> int:
        """Return the seconds on the wall clock from start to end."""
        return self.to - self.from_ if self.to > self.from_ else self.to - self.from_ + DAY

    def _weekdays(self) -> frozenset[int]:
        return frozenset(day for days in self.days for day in days)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
