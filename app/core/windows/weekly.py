"""``weekly: {from: fri 14:00, to: mon 08:00}``: every week or every few weeks, on the wall clock."""

from typing import Final, Self

from pydantic import ConfigDict, Field, model_validator

from app.core.errors import Fault, FaultyValuesError
from app.core.field_types import DateText, WeekTimeText
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import WeekTime, format_time_of_day
from app.core.wallclock import Wall, calendar_date, weekday
from app.core.window import Window

_WEEK: Final = 7 * DAY
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Weekly(Window):
    """Open from one weekday and time to another, every week; equal bounds span the whole week."""

    model_config = ConfigDict(
        json_schema_extra={"dependencies": {"every": ["starting"], "starting": ["every"]}}
    )

    from_: WeekTimeText = Field(
        alias="from", description="weekday and local time at which it opens", examples=["fri 14:00"]
    )
    to: WeekTimeText = Field(description="weekday and local time at which it closes", examples=["mon 08:00"])
    every: int | None = Field(
        None,
        ge=2,
        le=53,
        description="opens only in every second, third, … week; every week if left out; with `starting`",
        examples=[2],
    )
    starting: DateText | None = Field(
        None,
        description="any date of a week in which it opens; `every` counts from that week in both directions",
        examples=["2027-01-08"],
    )

    @model_validator(mode="after")
    def _counts_from_a_week(self) -> Self:
        if self.starting is None and self.every is not None:
            sentence = "needs starting: a date of one of the weeks that are meant, such as 2027-01-08"
            raise FaultyValuesError([Fault(("every",), sentence)])
        if self.every is None and self.starting is not None:
            sentence = "goes with every, such as every: 2; a window that opens every week starts nowhere"
            raise FaultyValuesError([Fault(("starting",), sentence)])
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval for each week that counts, from two weeks before the span."""
        step, length = self.every or 1, self.end - self.from_.offset
        first = _week(wall.day(span[0])) - 2
        first += (self.anchor - first) % step
        until = (wall.day(span[1]) + 1) * DAY
        starts = range(_monday(first) * DAY + self.from_.offset, until, step * _WEEK)
        return [(wall.start(local), wall.end(local + length)) for local in starts]

    def week(self) -> list[Interval] | None:
        """Return its one interval; None if only some weeks count."""
        return None if self.every else [(self.from_.offset, self.end)]

    def covers(self, other: Window) -> bool:
        """Return whether each interval of another weekly window lies within one of its own."""
        if not isinstance(other, Weekly):
            return False
        return any(
            self._opens_around(other, weeks)
            and self.from_.offset - weeks * _WEEK <= other.from_.offset
            and other.end <= self.end - weeks * _WEEK
            for weeks in (0, 1)
        )

    def words(self) -> str:
        """Return ``every week from Friday 14:00 to Monday 08:00``."""
        bounds = f"from {_say(self.from_)} to {_say(self.to)}"
        if self.every is None or self.starting is None:
            return f"every week {bounds}"
        day = calendar_date(self.starting)
        return f"every {self.every} weeks {bounds}, counted from the week of {day.day} {day:%b} {day.year}"

    def first_after(self, day: int) -> int:
        """Return the first day, from a day on, on which it opens."""
        week = _week(day)
        week += (self.anchor - week) % (self.every or 1)
        opens = _monday(week) + self.from_.weekday
        return opens if opens >= day else opens + 7 * (self.every or 1)

    @property
    def end(self) -> int:
        """Its end, in seconds since Monday 00:00 of the week in which it opens."""
        return self.from_.offset + ((self.to.offset - self.from_.offset) % _WEEK or _WEEK)

    @property
    def anchor(self) -> int:
        """The number of a week in which it opens."""
        return 0 if self.starting is None else _week(self.starting)

    def _opens_around(self, other: "Weekly", weeks: int) -> bool:
        """Return whether it opens `weeks` before each week in which another window opens."""
        step, other_step = self.every or 1, other.every or 1
        return other_step % step == 0 and (other.anchor - weeks - self.anchor) % step == 0


def _week(day: int) -> int:
    """Return the number of a day's week, which begins on Monday."""
    return (day + weekday(0)) // 7


def _monday(week: int) -> int:
    """Return the number of a week's first day."""
    return week * 7 - weekday(0)


def _say(moment: WeekTime) -> str:
    return f"{_NAMES[moment.weekday]} {format_time_of_day(moment.time)}"
